"""The texts of the rule ids that other rooms raise: reading, schema, rendering, jobs and rows."""

from qstash_jobs.rules.registry import describe

describe(
    "yaml-syntax",
    "the file is no YAML",
    "YAML finds structure in indentation and in a few signs. A text that begins with one of { [ * & ! | > "
    "% @ or a quote, or that holds a colon and a blank, or a blank and #, has to stand in quotes.",
    example='url: "https://api.example.com/a: b"',
)
describe(
    "yaml-encoding",
    "the file is no UTF-8",
    "Job files are read strictly as UTF-8, so that every machine reads the same characters.",
    example="iconv -f latin1 -t utf-8 old.yaml > new.yaml",
)
describe(
    "yaml-duplicate-key",
    "a key stands twice",
    "YAML 1.2 forbids it (3.2.1.3), and readers that allow it drop one of the two without a word.",
    example="jobs:\n  first: {…}\n  second: {…}",
)
describe(
    "yaml-multiple-documents",
    "a file holds one document",
    "A line of three dashes begins a second document. Several jobs stand in one document.",
    example="jobs:\n  hello: {…}\n  goodbye: {…}",
)
describe(
    "yaml-merge-key",
    "merge keys are not read",
    "`<<` is no part of YAML 1.2, and hides where a value comes from. `defaults` does the same and says so.",
    example="defaults: {retries: 3}",
)
describe(
    "yaml-tag",
    "tags are not read",
    "A value that begins with `!` names a type of YAML's own. A text that begins with `!` has to stand in "
    "quotes.",
    example='body: "!important"',
)
describe(
    "yaml-alias",
    "an alias that cannot be followed",
    "`*name` repeats what `&name` stands before. It has to come later in the file, outside of what it "
    "repeats, and a job may hold 100: more are a way to make a small file enormous.",
    example="x-shared: &shared {team: billing}\njobs: {hello: {body: *shared}}",
)
describe("yaml-depth", "too many levels", "64 levels inside each other are read: no body needs more.")
describe(
    "yaml-size",
    "the file is too large",
    "A file has 16 MiB at most, a job 50,000 values. Rows belong in a data file, which is streamed.",
    example="for_each: data/orders.csv",
)
describe(
    "yaml-number",
    "a number that JSON does not have",
    "JSON has no infinity and no not-a-number (RFC 8259, 6), so a body could not hold it.",
    example='body: {ratio: ".inf"}    # as text',
)
describe(
    "yaml-key",
    "a key is a plain word",
    "JSON's keys are text, so a mapping, a list or nothing at all cannot be one.",
    example='body: {"null": 1}',
)
describe(
    "yaml-surrogate",
    "half a character",
    "A lone surrogate such as \\ud83d is no character, and cannot be written as UTF-8.",
    example='body: "\\U0001F600"',
)
describe(
    "unquoted-expression",
    "an expression that YAML takes apart",
    "Inside `[ ]` and `{ }` the braces of `${{ … }}` are YAML's own, and ` #` begins a comment anywhere.",
    example='body: {email: "${{ row.email }}"}',
)
describe(
    "schema-unknown-key",
    "a field that does not exist",
    "It would be ignored in silence, so it is refused. Most are a slip of the pen, another tool's name for "
    "the field, or a field that belongs elsewhere.",
    example="retries: 3    # not retrys",
)
describe(
    "schema-missing",
    "a field is missing",
    "A job needs `url` or `url_group`, its own or from `defaults`; a schedule needs `cron`; a callback "
    "needs `url`; flow control needs `key` and a limit.",
    example="url: https://api.example.com/hello",
)
describe(
    "schema-type",
    "a value of another type",
    "A text, a number, true or false, a list or a mapping is expected. An expression may stand for any "
    "single value and keeps the type of what it finds: `| number`, `| int` and `| string` change it.",
    example='retries: 3    # not "3"\nlabels: [billing]    # not billing',
)
describe("schema-range", "a value that is too small, too large, or empty", "The message names the limit.")
describe(
    "schema-choice",
    "a value that is none of the choices",
    "The field takes a few words only, spelt as they are.",
    example="method: POST",
)
describe(
    "schema-conflict",
    "fields that refuse each other",
    "A message has one destination, one body and one moment; a queue refuses delays. A job's own field "
    "takes the place of its rival in `defaults`.",
    example="url: https://api.example.com/hello    # without url_group",
)
describe(
    "schema-pattern",
    "a text of another form",
    "Ids of jobs hang together with deduplication, ledger and schedules, so they are kept plain: a letter "
    "or digit, then letters, digits, `.`, `_` and `-`, 128 characters at most.",
    example="jobs: {send-receipts: {…}}",
)
describe(
    "schema-duration",
    "a duration that cannot be read",
    "Whole numbers with the units d, h, m and s, the longest first, each once; or a plain whole number of "
    "seconds. QStash has no finer unit than a second.",
    example="delay: 1d10h30m",
)
describe(
    "render-syntax",
    "an expression that cannot be read",
    'Between `${{` and `}}` stand a look-up and filters: `name.name`, `name["odd name"]`, `| filter`, '
    "`| filter(literal)`. There are no operators and no calls.",
    example="total: ${{ row.total | number }}",
)
describe(
    "render-unknown-name",
    "a name that does not exist",
    "Names begin with vars, env, secrets, row, run, job, project, environment, git or ci. A missing name "
    "is never empty.",
    example='${{ env.REGION | default("eu") }}',
)
describe(
    "render-refused-name",
    "a credential that no message may carry",
    "QSTASH_*, GITHUB_TOKEN and ACTIONS_* are keys to the machine that runs the jobs. The project file has "
    "to name one that is meant to be sent, and where to.",
    example='policy: {secrets: {GITHUB_TOKEN: ["https://ci.example.com/"]}}',
)
describe(
    "render-missing-secret",
    "a secret that is not there",
    "`secrets.NAME` comes from the environment, $CREDENTIALS_DIRECTORY/NAME, /run/secrets/NAME or "
    "--secrets-dir.",
    example="REPORT_TOKEN=… qstash-jobs run jobs/report.yaml",
)
describe(
    "render-null",
    "a value that is empty",
    "Inside a text, nothing would stand there; as a whole field, it would take a default away in silence.",
    example='${{ row.note | default("none") }}',
)
describe(
    "render-filter",
    "a filter that cannot read its value",
    'Each filter fails on what it cannot read, so that "n/a" never becomes 0.',
    example='${{ row.count | default("0") | int }}',
)
describe(
    "render-url-value",
    "a foreign value inside a url",
    "A value of `row.` or `env.` that holds `/`, `?`, `#` or `@` would change where the message goes. "
    "Letters, digits and `. _ ~ -` go in as they are.",
    example="url: https://api.example.com/users/${{ row.email | urlencode }}",
)
describe(
    "render-text",
    "a value that has no place here",
    "A mapping or a list has no place inside a text, and what JSON or UTF-8 cannot write has none in a "
    "message.",
    example="note: got ${{ vars.items | json }}",
)
describe(
    "row-syntax",
    "a row that cannot be read",
    "The file of a `for_each` is read strictly: a header row, as many cells in each row as in the header, "
    "closed quotes.",
    example="order_id,email\n17,ada@example.com",
)
describe(
    "row-key",
    "a row's key is empty, too long, or stands twice",
    "The key is the row's identity: with it a second run knows which rows are published already. 200 bytes "
    "at most, no control characters.",
    example="for_each: {file: data/orders.csv, key: order_id}",
)
describe(
    "row-missing",
    "the rows cannot be found",
    "The path is relative to the job file, and stays inside the project.",
    example="for_each: data/orders.csv",
)
describe(
    "url-group-unknown",
    "a job names a URL group that the account does not have",
    'QStash would take the name for a URL and answer 400 "endpoint has invalid scheme", which sends people looking '
    "in the wrong place (upstash docs, issue 50). So the account is asked before anything is sent.",
)
describe(
    "queue-unknown",
    "a job names a queue that the account does not have",
    "QStash makes a queue when a message is put on it (openapi.yaml), so a misspelt name makes a new queue, in which "
    "nothing waits for what is on the other.",
)
describe(
    "account-unasked",
    "the account's URL groups or queues could not be listed",
    "The run goes on: what is wrong with a name then comes back as the answer to its message.",
)
describe(
    "resource-repeated",
    "a URL group, queue or flow control is declared twice",
    "What an account holds has one place in a project; with two, which of them holds would be chance.",
)
describe(
    "row-number",
    "rows without a key under a named run key",
    "Rows are then told apart by their number, so that a file in another order makes other messages of them.",
    example="for_each: {file: data/orders.csv, key: order_id}",
)
describe(
    "job-body-file",
    "the file of the body cannot be read",
    "The path is relative to the job file; it names a regular file inside the project, reached by no link "
    "that leads out.",
    example="body_file: data/report.pdf",
)
describe(
    "job-base64",
    "a binary body that is no base64",
    "Letters, digits, + and /, filled up with = (RFC 4648, 4). Line breaks are allowed.",
    example="body_base64: AAEC/w==",
)
describe(
    "job-not-before",
    "a moment that cannot be read",
    "RFC 3339, or Unix seconds. Without an offset, `timezone` has to say whose clock is meant, and the "
    "hour must exist there once. QStash takes seconds: milliseconds would lie tens of thousands of years "
    "ahead.",
    example="not_before: 2030-12-24T18:00:00+01:00",
)
describe(
    "job-timezone",
    "a time zone that does not exist",
    "Names are those of the IANA list.",
    example="timezone: Europe/Berlin",
)
describe(
    "job-id",
    "a file's name that cannot be a job's id",
    "The id of a single job is its file's name without the suffix.",
    example="jobs/send-receipts.yaml",
)
describe(
    "run-key",
    "a run key that says nothing",
    "Runs with the same key publish a message once between them; an empty key would make all runs the same.",
    example="run_key: ${{ run.date }}",
)
describe(
    "schedule-repeated",
    "two schedules with one id",
    "A schedule's id in the account is made of the project, the environment and the key that it stands under, whatever "
    "file that is in. Of two with one id, the second would replace the first.",
    example="schedules: {nightly-report: {…}, nightly-cleanup: {…}}",
)
describe(
    "schedule-id",
    "a schedule's id in the account: letters, digits, dots, dashes, underscores",
    "Other ids are answered with 400 (upstash changelog, November 2024; openapi.yaml). The id is made of the project, "
    "the environment and the key, so that two projects in one account cannot meet.",
    example="project: billing    # in qstash-jobs.yaml",
)
describe(
    "schedule-stranger",
    "a schedule that this project did not make",
    "What a project makes carries its mark, a label. A schedule without it is somebody else's, or was made by "
    "hand, and is never touched unless a file names its id.",
    example="schedules: {nightly: {schedule_id: nightly-report, …}}",
)
