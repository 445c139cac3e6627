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

-- The newest rows, in the order they came: written once, at the end, so a tick costs what its bytes cost.
CREATE TABLE journal (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	arrived_ms INTEGER NOT NULL,
	first_ms INTEGER NOT NULL,
	last_ms INTEGER NOT NULL,
	first_series INTEGER NOT NULL,
	last_series INTEGER NOT NULL,
	samples BLOB NOT NULL
);

-- Rows of hours that are not packed yet, sorted by groups of 16 series; seq counts the times the journal was sorted.
CREATE TABLE part (
	hour INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	shard INTEGER NOT NULL,
	samples BLOB NOT NULL,
	PRIMARY KEY (hour, seq, shard)
) WITHOUT ROWID;

-- One hour of one series: hour << 32 | series.
CREATE TABLE block (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
-- Twelve five-minute rollups: hour << 32 | series.
CREATE TABLE rollup_5m (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
-- 24 one-hour rollups: day << 32 | series.
CREATE TABLE rollup_1h (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
-- 32 one-day rollups: span of 32 days << 32 | series.
CREATE TABLE rollup_1d (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
