-- SPDX-License-Identifier: MIT
-- Every statement of the embedded store; the name of each becomes GM_SQL_<NAME>.

-- name: begin
BEGIN IMMEDIATE;
-- name: begin_read
BEGIN;
-- name: commit
COMMIT;
-- name: rollback
ROLLBACK;
-- name: savepoint
SAVEPOINT one;
-- name: release
RELEASE one;
-- name: rollback_to
ROLLBACK TO one;

-- name: series_load
SELECT series, cluster, uuid, node, id, model, product_name, board_index, gi_id, ci_id, mig_uuid, profile,
	placement_start, placement_size, memory_total_bytes, first_seen_ms, last_seen_ms
FROM series ORDER BY gi_id >= 0, series;
-- name: series_save
INSERT INTO series (series, cluster, uuid, node, id, model, product_name, board_index, gi_id, ci_id, mig_uuid, profile,
	placement_start, placement_size, memory_total_bytes, first_seen_ms, last_seen_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
ON CONFLICT (series) DO UPDATE SET cluster = excluded.cluster, uuid = excluded.uuid, node = excluded.node,
	id = excluded.id, model = excluded.model, product_name = excluded.product_name,
	board_index = excluded.board_index, gi_id = excluded.gi_id, ci_id = excluded.ci_id,
	mig_uuid = excluded.mig_uuid, profile = excluded.profile, placement_start = excluded.placement_start,
	placement_size = excluded.placement_size, memory_total_bytes = excluded.memory_total_bytes,
	first_seen_ms = min(first_seen_ms, excluded.first_seen_ms), last_seen_ms = max(last_seen_ms, excluded.last_seen_ms);

-- name: journal_add
INSERT INTO journal (first_ms, last_ms, first_series, last_series, samples) VALUES (?1, ?2, ?3, ?4, ?5);
-- name: journal_range
SELECT samples FROM journal WHERE last_ms >= ?1 AND first_ms < ?2 AND first_series <= ?3 AND last_series >= ?3 ORDER BY id;
-- name: journal_since
SELECT samples FROM journal WHERE last_ms >= ?1 ORDER BY id;
-- name: journal_next
SELECT samples, id FROM journal WHERE id > ?1 ORDER BY id LIMIT 1;
-- name: journal_state
SELECT count(*), min(first_ms), max(last_ms) FROM journal;
-- name: journal_oldest
SELECT last_ms FROM journal ORDER BY last_ms LIMIT 1;
-- name: journal_newest
SELECT last_ms FROM journal ORDER BY last_ms DESC LIMIT 1;
-- name: journal_delete
DELETE FROM journal WHERE id IN (SELECT id FROM journal WHERE id <= ?1 ORDER BY id LIMIT ?2);

-- name: run_add
INSERT INTO run (hour) VALUES (?1);
-- name: run_list
SELECT id, hour FROM run WHERE hour >= ?1 AND hour <= ?2 ORDER BY id;
-- name: run_first_hour
SELECT hour FROM run ORDER BY hour LIMIT 1;
-- name: run_last_hour
SELECT hour FROM run ORDER BY hour DESC LIMIT 1;
-- name: run_delete
DELETE FROM run WHERE id = ?1;
-- name: part_add
INSERT INTO part (id, data) VALUES (?1, ?2);
-- name: part_get
SELECT data FROM part WHERE id = ?1;
-- name: part_next
SELECT data, id FROM part WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT 1;
-- name: part_delete
DELETE FROM part WHERE id IN (SELECT id FROM part WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3);

-- name: block_get
SELECT data FROM block WHERE id = ?1;
-- name: block_next
SELECT data, id FROM block WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT 1;
-- name: rollup_5m_get
SELECT data FROM rollup_5m WHERE id = ?1;
-- name: rollup_1h_get
SELECT data FROM rollup_1h WHERE id = ?1;
-- name: rollup_1d_get
SELECT data FROM rollup_1d WHERE id = ?1;
-- name: block_put
INSERT OR REPLACE INTO block (id, data) VALUES (?1, ?2);
-- name: rollup_5m_put
INSERT OR REPLACE INTO rollup_5m (id, data) VALUES (?1, ?2);
-- name: rollup_1h_put
INSERT OR REPLACE INTO rollup_1h (id, data) VALUES (?1, ?2);
-- name: rollup_1d_put
INSERT OR REPLACE INTO rollup_1d (id, data) VALUES (?1, ?2);
-- name: block_expire
DELETE FROM block WHERE id IN (SELECT id FROM block WHERE id < ?1 ORDER BY id LIMIT ?2);
-- name: rollup_5m_expire
DELETE FROM rollup_5m WHERE id IN (SELECT id FROM rollup_5m WHERE id < ?1 ORDER BY id LIMIT ?2);
-- name: rollup_1h_expire
DELETE FROM rollup_1h WHERE id IN (SELECT id FROM rollup_1h WHERE id < ?1 ORDER BY id LIMIT ?2);
-- name: rollup_1d_expire
DELETE FROM rollup_1d WHERE id IN (SELECT id FROM rollup_1d WHERE id < ?1 ORDER BY id LIMIT ?2);
-- name: block_last
SELECT id FROM block ORDER BY id DESC LIMIT 1;

-- name: due_add
INSERT OR IGNORE INTO due (id) VALUES (?1);
-- name: due_first
SELECT id FROM due ORDER BY id LIMIT 1;
-- name: due_delete
DELETE FROM due WHERE id = ?1;

-- name: key_load
SELECT id, name, prefix, digest, role, created_ms, created_by, expires_ms, revoked_ms FROM api_key ORDER BY id;
-- name: key_add
INSERT INTO api_key (name, prefix, digest, role, created_ms, created_by, expires_ms, revoked_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8);
-- name: key_revoked
SELECT revoked_ms FROM api_key WHERE id = ?1;
-- name: key_revoke
UPDATE api_key SET revoked_ms = ?2 WHERE id = ?1;

-- name: audit_head
SELECT digest, seq FROM audit ORDER BY seq DESC LIMIT 1;
-- name: audit_add
INSERT INTO audit (seq, at_ms, actor, role, address, action, object, before, after, request_id, previous, digest)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12);
-- name: audit_read
SELECT seq, at_ms, actor, role, address, action, object, before, after, request_id, previous, digest FROM audit
WHERE seq < ?1 AND at_ms >= ?2 AND at_ms < ?3 AND (?4 = '' OR actor = ?4)
	AND (?5 = '' OR substr(action, 1, length(?5)) = ?5)
ORDER BY seq DESC LIMIT ?6;

-- name: refused_known
SELECT 1 FROM refused WHERE minute_ms = ?1 AND address = ?2 LIMIT 1;
-- name: refused_addresses
SELECT count(DISTINCT address) FROM refused WHERE minute_ms = ?1;
-- name: refused_add
INSERT INTO refused (minute_ms, address, status, count) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (minute_ms, address, status) DO UPDATE SET count = count + excluded.count;
-- name: refused_read
SELECT minute_ms, address, status, count FROM refused WHERE minute_ms >= ?1 ORDER BY minute_ms DESC, address, status LIMIT ?2;
-- name: refused_expire
DELETE FROM refused WHERE (minute_ms, address, status) IN
	(SELECT minute_ms, address, status FROM refused WHERE minute_ms < ?1 LIMIT ?2);

-- name: allocation_add
INSERT INTO allocation (id, version, state, live, namespace, pod, team, project, cluster, created_ms, granted_ms, ended_ms,
	expires_ms, record)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) RETURNING seq;
-- name: allocation_change
UPDATE allocation SET version = ?2, state = ?3, live = ?4, namespace = ?5, pod = ?6, team = ?7, project = ?8, cluster = ?9,
	created_ms = ?10, granted_ms = ?11, ended_ms = ?12, expires_ms = ?13, record = ?14
WHERE id = ?1 AND version = ?2 - 1 RETURNING seq;
-- name: allocation_version
SELECT version FROM allocation WHERE id = ?1;
-- name: allocation_get
SELECT seq, id, record FROM allocation WHERE id = ?1;
-- name: allocation_load
SELECT seq, id, record, version, state FROM allocation INDEXED BY allocation_live WHERE live = 1 ORDER BY seq;
-- name: allocation_page
SELECT seq, id, record FROM allocation WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2;
-- name: allocation_page_live
SELECT seq, id, record FROM allocation INDEXED BY allocation_live
WHERE live = 1 AND seq < ?1 AND (?3 = '' OR instr(?3, ',' || state || ',')) AND created_ms < ?5
	AND (?6 = '' OR team = ?6) AND (?7 = '' OR project = ?7) AND (?8 = '' OR namespace = ?8)
ORDER BY seq DESC LIMIT ?2;
-- name: allocation_page_find
SELECT seq, id, record FROM allocation INDEXED BY allocation_find
WHERE seq < ?1 AND (?3 = '' OR instr(?3, ',' || state || ',')) AND (ended_ms = 0 OR ended_ms > ?4) AND created_ms < ?5
	AND (?6 = '' OR team = ?6) AND (?7 = '' OR project = ?7) AND (?8 = '' OR namespace = ?8)
ORDER BY seq DESC LIMIT ?2;
-- name: allocation_page_namespace
SELECT seq, id, record FROM allocation INDEXED BY allocation_namespace
WHERE namespace = ?8 AND seq < ?1 AND (?6 = '' OR team = ?6) AND (?7 = '' OR project = ?7)
ORDER BY seq DESC LIMIT ?2;
-- name: allocation_page_project
SELECT seq, id, record FROM allocation INDEXED BY allocation_project
WHERE project = ?7 AND seq < ?1 AND (?6 = '' OR team = ?6) AND (?8 = '' OR namespace = ?8)
ORDER BY seq DESC LIMIT ?2;
-- name: allocation_page_team
SELECT seq, id, record FROM allocation INDEXED BY allocation_team
WHERE team = ?6 AND seq < ?1 AND (?7 = '' OR project = ?7) AND (?8 = '' OR namespace = ?8)
ORDER BY seq DESC LIMIT ?2;

-- name: claim_of
SELECT device_uuid, unit FROM claim WHERE allocation = ?1 ORDER BY device_uuid, unit;
-- name: claim_add
INSERT INTO claim (device_uuid, unit, allocation) VALUES (?1, ?2, ?3);
-- name: claim_drop
DELETE FROM claim WHERE allocation = ?1;
-- name: claim_holder
SELECT id FROM claim JOIN allocation ON seq = allocation WHERE device_uuid = ?1 AND unit = ?2;
-- name: claim_list
SELECT device_uuid, unit, coalesce(id, '') FROM claim LEFT JOIN allocation ON seq = allocation ORDER BY device_uuid, unit;
-- name: claim_by_allocation
SELECT allocation, device_uuid, unit FROM claim INDEXED BY claim_allocation ORDER BY allocation, device_uuid, unit;

-- name: once_get
SELECT body, at_ms, id FROM once WHERE key = ?1 AND at_ms > ?2;
-- name: once_put
INSERT INTO once (key, body, at_ms, id) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (key) DO UPDATE SET body = excluded.body, at_ms = excluded.at_ms, id = excluded.id
WHERE at_ms <= excluded.at_ms - ?5;
-- name: once_expire
DELETE FROM once WHERE key IN (SELECT key FROM once WHERE at_ms < ?1 ORDER BY at_ms LIMIT ?2);

-- name: object_put
INSERT INTO object (kind, name, at_ms, bytes) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (kind, name) DO UPDATE SET at_ms = excluded.at_ms, bytes = excluded.bytes;
-- name: object_drop
DELETE FROM object WHERE kind = ?1 AND name = ?2;
-- name: object_list
SELECT name, at_ms, bytes FROM object WHERE kind = ?1 ORDER BY name;

-- name: page_count
PRAGMA page_count;
-- name: free_pages
PRAGMA freelist_count;
-- name: page_size
PRAGMA page_size;
-- name: quick_check
PRAGMA quick_check(1);
