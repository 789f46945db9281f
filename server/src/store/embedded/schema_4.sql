-- What is counted or reckoned, beside the log. The version sorts as its bytes do.
CREATE TABLE ledger(
    scope INTEGER NOT NULL,
    book TEXT NOT NULL,
    name BLOB NOT NULL,
    version BLOB NOT NULL,
    value BLOB NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY(scope, book, name)
) STRICT, WITHOUT ROWID;
