"""What an account holds: questions and changes -> Requests, and answers -> what was observed."""
