"""What is going to be done, before it is: messages that would be published, and changes to the account."""
