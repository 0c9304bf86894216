
    CREATE TABLE serials (
        serial BLOB NOT NULL PRIMARY KEY CHECK (length(serial) = 20)
    ) WITHOUT ROWID;
    CREATE TABLE certificates (
        sequence          INTEGER PRIMARY KEY,
        serial            BLOB NOT NULL UNIQUE REFERENCES serials (serial),
        not_before        INTEGER NOT NULL,
        not_after         INTEGER NOT NULL,
        subject           TEXT NOT NULL,
        public_key_sha256 BLOB NOT NULL CHECK (length(public_key_sha256) = 32),
        certificate_der   BLOB NOT NULL,
        csr_der           BLOB NOT NULL,
        label             TEXT,
        requester         TEXT NOT NULL,
        authentication    TEXT NOT NULL,
        address           TEXT,
        issued_at         INTEGER NOT NULL
    );
    CREATE INDEX certificates_by_public_key ON certificates (public_key_sha256);
    CREATE INDEX certificates_by_subject ON certificates (subject);
    CREATE TABLE refused_requests (
        sequence       INTEGER PRIMARY KEY,
        csr_der        BLOB NOT NULL,
        label          TEXT,
        requester      TEXT NOT NULL,
        authentication TEXT NOT NULL,
        address        TEXT,
        refused_at     INTEGER NOT NULL,
        rule           TEXT NOT NULL,
        reason         TEXT NOT NULL
    );
