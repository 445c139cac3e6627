-- SPDX-License-Identifier: MIT
-- Times are milliseconds since the epoch, UTC. Hours, days and 32-day spans count from the epoch.
-- A key "span << 32 | series" puts what is packed together beside each other, so that new rows go to the end of the
-- table, pages are filled, and what is past its time lies at the beginning.

CREATE TABLE series (
	series INTEGER PRIMARY KEY,
	cluster TEXT NOT NULL,
	uuid TEXT NOT NULL,
	node TEXT NOT NULL,
	id TEXT NOT NULL,
	model TEXT NOT NULL,
	product_name TEXT NOT NULL,
	board_index INTEGER NOT NULL,
	gi_id INTEGER NOT NULL,
	ci_id INTEGER NOT NULL,
	mig_uuid TEXT,
	profile TEXT,
	placement_start INTEGER NOT NULL,
	placement_size INTEGER NOT NULL,
	memory_total_bytes INTEGER NOT NULL,
	first_seen_ms INTEGER NOT NULL,
	last_seen_ms INTEGER NOT NULL
);

-- The newest rows, in the order they came, some hundred a blob (rows.h): written once, at the end, so a tick costs what
-- its bytes cost. The index answers "which blobs may hold this series" without touching the blobs.
CREATE TABLE journal (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	first_ms INTEGER NOT NULL,
	last_ms INTEGER NOT NULL,
	first_series INTEGER NOT NULL,
	last_series INTEGER NOT NULL,
	samples BLOB NOT NULL
);
CREATE INDEX journal_find ON journal (last_ms, first_ms, first_series, last_series);

-- Each time the journal is sorted, its rows of one hour become a run: a block a series, keyed run << 32 | series.
CREATE TABLE run (id INTEGER PRIMARY KEY AUTOINCREMENT, hour INTEGER NOT NULL);
CREATE TABLE part (id INTEGER PRIMARY KEY, data BLOB NOT NULL);

-- One hour of one series: hour << 32 | series.
CREATE TABLE block (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
-- Twelve five-minute rollups: hour << 32 | series.
CREATE TABLE rollup_5m (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
-- 24 one-hour rollups: day << 32 | series.
CREATE TABLE rollup_1h (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
-- 32 one-day rollups: span of 32 days << 32 | series.
CREATE TABLE rollup_1d (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
-- Days whose one-hour and one-day rollups are to be made (again): day << 32 | series.
CREATE TABLE due (id INTEGER PRIMARY KEY);

CREATE TABLE api_key (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL,
	prefix TEXT NOT NULL,
	digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
	role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
	created_ms INTEGER NOT NULL,
	created_by TEXT NOT NULL,
	expires_ms INTEGER NOT NULL,
	revoked_ms INTEGER NOT NULL
);

CREATE TABLE audit (
	seq INTEGER PRIMARY KEY,
	at_ms INTEGER NOT NULL,
	actor TEXT NOT NULL,
	role TEXT NOT NULL,
	address TEXT NOT NULL,
	action TEXT NOT NULL,
	object TEXT NOT NULL,
	before TEXT NOT NULL,
	after TEXT NOT NULL,
	request_id TEXT NOT NULL,
	previous BLOB NOT NULL CHECK (length(previous) = 32),
	digest BLOB NOT NULL CHECK (length(digest) = 32)
);
CREATE TRIGGER audit_keep BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'audit rows are kept'); END;
CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'audit rows do not change'); END;

CREATE TABLE refused (
	minute_ms INTEGER NOT NULL,
	address TEXT NOT NULL,
	status INTEGER NOT NULL,
	count INTEGER NOT NULL,
	PRIMARY KEY (minute_ms, address, status)
) WITHOUT ROWID;
