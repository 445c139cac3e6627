-- SPDX-License-Identifier: MIT
-- Allocations and who holds what. `record` is all that is known of one (core/alloc/record.c); the other columns repeat of
-- it what is looked for. seq counts them in the order they were made and is never used again.
CREATE TABLE allocation (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	id TEXT NOT NULL UNIQUE,
	version INTEGER NOT NULL,
	state TEXT NOT NULL,
	live INTEGER NOT NULL, -- 1: has not ended
	namespace TEXT NOT NULL,
	pod TEXT NOT NULL,
	team TEXT NOT NULL,
	project TEXT NOT NULL,
	cluster TEXT NOT NULL,
	created_ms INTEGER NOT NULL,
	granted_ms INTEGER NOT NULL,
	ended_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL,
	record BLOB NOT NULL
);
-- Those that have not ended are few among those that have.
CREATE INDEX allocation_live ON allocation (seq) WHERE live = 1;
-- All that is filtered by lies here, narrow, in the order of pages: the records are read of what is found only.
CREATE INDEX allocation_find ON allocation (seq, state, created_ms, ended_ms, team, project, namespace);
CREATE INDEX allocation_team ON allocation (team, seq);
CREATE INDEX allocation_project ON allocation (project, seq);
CREATE INDEX allocation_namespace ON allocation (namespace, seq);

-- One row a unit of a device that is held; the key is what keeps two from holding it.
CREATE TABLE claim (
	device_uuid TEXT NOT NULL,
	unit INTEGER NOT NULL,
	allocation INTEGER NOT NULL,
	PRIMARY KEY (device_uuid, unit)
) WITHOUT ROWID;
CREATE INDEX claim_allocation ON claim (allocation);

-- Requests that may come again (Idempotency-Key), by digest.
CREATE TABLE once (
	key BLOB PRIMARY KEY CHECK (length(key) = 32),
	body BLOB NOT NULL CHECK (length(body) = 32),
	at_ms INTEGER NOT NULL,
	id TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX once_at ON once (at_ms);

-- Teams, queues, cordons, slices that were made, operations: bytes whose form is the owner's.
CREATE TABLE object (
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	at_ms INTEGER NOT NULL,
	bytes BLOB NOT NULL,
	PRIMARY KEY (kind, name)
);
