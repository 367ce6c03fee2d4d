import GRDB

/// The tables, as they came to be.
extension PinholeDatabase {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("accounts, bindings, keys") { database in
            try database.execute(
                sql: """
                    CREATE TABLE account (
                        username TEXT NOT NULL, realm TEXT NOT NULL, user TEXT NOT NULL, domain TEXT,
                        ha1_md5 TEXT NOT NULL, ha1_sha256 TEXT NOT NULL, ha1_sha512_256 TEXT NOT NULL,
                        PRIMARY KEY (username, realm)
                    ) STRICT, WITHOUT ROWID;
                    CREATE TABLE binding (
                        aor TEXT NOT NULL, place INTEGER NOT NULL, contact TEXT NOT NULL, parameters TEXT NOT NULL,
                        call_id TEXT NOT NULL, cseq INTEGER NOT NULL, instance TEXT NOT NULL, reg_id INTEGER NOT NULL,
                        path TEXT NOT NULL, user_agent TEXT NOT NULL, q INTEGER NOT NULL,
                        expires INTEGER NOT NULL, updated INTEGER NOT NULL,
                        transport TEXT NOT NULL, local TEXT NOT NULL, remote TEXT NOT NULL, connection INTEGER NOT NULL,
                        verdict INTEGER NOT NULL, dead_since INTEGER,
                        PRIMARY KEY (aor, place)
                    ) STRICT, WITHOUT ROWID;
                    CREATE TABLE secret (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
                    """)
        }
        migrator.registerMigration("call detail records, direct media") { database in
            try database.execute(
                sql: """
                    CREATE TABLE call (
                        id INTEGER PRIMARY KEY, number INTEGER NOT NULL, call_id TEXT NOT NULL, caller TEXT NOT NULL, callee TEXT NOT NULL,
                        began INTEGER NOT NULL, answered INTEGER, ended INTEGER NOT NULL,
                        status INTEGER NOT NULL, reason TEXT NOT NULL, codec TEXT NOT NULL, direct INTEGER NOT NULL
                    ) STRICT;
                    CREATE INDEX call_ended ON call (ended);
                    CREATE TABLE call_party (
                        call INTEGER NOT NULL REFERENCES call ON DELETE CASCADE, place INTEGER NOT NULL,
                        address TEXT NOT NULL, answered INTEGER NOT NULL, transport TEXT, local TEXT, remote TEXT,
                        PRIMARY KEY (call, place)
                    ) STRICT, WITHOUT ROWID;
                    CREATE TABLE call_stream (
                        call INTEGER NOT NULL REFERENCES call ON DELETE CASCADE, party INTEGER NOT NULL, place INTEGER NOT NULL,
                        kind TEXT NOT NULL, verdict TEXT NOT NULL,
                        PRIMARY KEY (call, party, place)
                    ) STRICT, WITHOUT ROWID;
                    ALTER TABLE account ADD COLUMN direct_media INTEGER NOT NULL DEFAULT 0;
                    """)
        }
        migrator.registerMigration("domains of bindings") { database in
            try database.execute(sql: "ALTER TABLE binding ADD COLUMN domain TEXT NOT NULL DEFAULT ''")
        }
        migrator.registerMigration("SRTP by account") { database in
            try database.execute(sql: "ALTER TABLE account ADD COLUMN srtp TEXT")
        }
        migrator.registerMigration("shares of call records") { database in
            try database.execute(
                sql: """
                    ALTER TABLE call ADD COLUMN account TEXT NOT NULL DEFAULT '';
                    ALTER TABLE call ADD COLUMN bytes INTEGER NOT NULL DEFAULT 1000;
                    UPDATE call SET account = substr(caller, 1, instr(caller || '@', '@') - 1);
                    CREATE INDEX call_account ON call (account, ended);
                    CREATE TABLE call_share (
                        account TEXT NOT NULL PRIMARY KEY, records INTEGER NOT NULL, bytes INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    INSERT INTO call_share SELECT account, count(*), sum(bytes) FROM call GROUP BY account;
                    CREATE TRIGGER call_added AFTER INSERT ON call BEGIN
                        INSERT INTO call_share VALUES (new.account, 1, new.bytes)
                        ON CONFLICT (account) DO UPDATE SET records = records + 1, bytes = bytes + new.bytes;
                    END;
                    CREATE TRIGGER call_removed AFTER DELETE ON call BEGIN
                        UPDATE call_share SET records = records - 1, bytes = bytes - old.bytes WHERE account = old.account;
                        DELETE FROM call_share WHERE account = old.account AND records < 1;
                    END;
                    """)
        }
        migrator.registerMigration("when phones were heard, guesses") { database in
            try database.execute(
                sql: """
                    ALTER TABLE binding ADD COLUMN answered INTEGER;
                    CREATE TABLE guess (
                        username TEXT NOT NULL PRIMARY KEY, last INTEGER NOT NULL, address TEXT NOT NULL, times INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    """)
        }
        return migrator
    }
}
