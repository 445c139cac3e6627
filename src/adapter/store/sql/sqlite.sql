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
-- name: series_ids
SELECT series FROM series WHERE series >= ?1 ORDER BY series;
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
-- name: series_seen
UPDATE series SET last_seen_ms = ?2 WHERE series = ?1 AND last_seen_ms < ?2;

-- name: journal_add
INSERT INTO journal (arrived_ms, first_ms, last_ms, first_series, last_series, samples) VALUES (?1, ?2, ?3, ?4, ?5, ?6);
-- name: journal_range
SELECT samples FROM journal WHERE last_ms >= ?1 AND first_ms < ?2 AND first_series <= ?3 AND last_series >= ?3 ORDER BY id;
-- name: journal_scan
SELECT id, samples FROM journal ORDER BY id;
-- name: journal_state
SELECT count(*), total(length(samples)), min(arrived_ms), max(arrived_ms), min(first_ms), max(last_ms) FROM journal;
-- name: journal_delete
DELETE FROM journal WHERE id <= ?1;

-- name: part_add
INSERT INTO part (hour, seq, shard, samples) VALUES (?1, ?2, ?3, ?4);
-- name: part_next_hour
SELECT hour FROM part WHERE hour >= ?1 ORDER BY hour LIMIT 1;
-- name: part_last_hour
SELECT hour FROM part ORDER BY hour DESC LIMIT 1;
-- name: part_next_seq
SELECT seq FROM part WHERE hour = ?1 AND seq > ?2 ORDER BY seq LIMIT 1;
-- name: part_last_seq
SELECT seq FROM part WHERE hour = ?1 ORDER BY seq DESC LIMIT 1;
-- name: part_next_shard
SELECT shard FROM part WHERE hour = ?1 AND seq = ?2 AND shard >= ?3 ORDER BY shard LIMIT 1;
-- name: part_get
SELECT samples FROM part WHERE hour = ?1 AND seq = ?2 AND shard = ?3;
-- name: part_delete
DELETE FROM part WHERE hour = ?1 AND seq = ?2;

-- name: block_get
SELECT data FROM block WHERE id = ?1;
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
