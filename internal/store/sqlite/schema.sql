-- Schema 1. The triggers keep the look-up rows in step, so that every write of a document is one statement.
BEGIN IMMEDIATE;

CREATE TABLE IF NOT EXISTS docs (
  id      TEXT PRIMARY KEY NOT NULL,
  kind    TEXT NOT NULL,
  version INTEGER NOT NULL,
  stamp   TEXT NOT NULL,
  created INTEGER NOT NULL, -- Unix milliseconds
  due     INTEGER,          -- Unix milliseconds
  user    TEXT,
  keys    TEXT,             -- JSON array of strings, as the caller ordered them
  expires INTEGER,          -- Unix seconds
  body    BLOB              -- NULL: empty
) STRICT;

CREATE INDEX IF NOT EXISTS docs_by_due ON docs (due, id, expires) WHERE due IS NOT NULL; -- answers Due alone
CREATE INDEX IF NOT EXISTS docs_by_user ON docs (user, kind, created DESC, id DESC) WHERE user IS NOT NULL;
CREATE INDEX IF NOT EXISTS docs_by_expiry ON docs (expires) WHERE expires IS NOT NULL;

CREATE TABLE IF NOT EXISTS keys (
  key     TEXT NOT NULL,
  created INTEGER NOT NULL,
  id      TEXT NOT NULL,
  PRIMARY KEY (key, created DESC, id DESC)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER IF NOT EXISTS docs_insert AFTER INSERT ON docs WHEN new.keys IS NOT NULL BEGIN
  INSERT INTO keys SELECT DISTINCT value, new.created, new.id FROM json_each(new.keys);
END;

CREATE TRIGGER IF NOT EXISTS docs_update AFTER UPDATE OF keys, created ON docs
WHEN old.keys IS NOT new.keys OR old.created <> new.created BEGIN
  DELETE FROM keys
   WHERE key IN (SELECT value FROM json_each(old.keys)) AND created = old.created AND id = old.id;
  INSERT INTO keys SELECT DISTINCT value, new.created, new.id FROM json_each(new.keys);
END;

CREATE TRIGGER IF NOT EXISTS docs_delete AFTER DELETE ON docs WHEN old.keys IS NOT NULL BEGIN
  DELETE FROM keys
   WHERE key IN (SELECT value FROM json_each(old.keys)) AND created = old.created AND id = old.id;
END;

PRAGMA user_version = 1;
COMMIT;
