import Model

extension SQLConnection {
    /// A lease that lasts for longer than any does was given before the clock was set back. Nobody waits for that; should
    /// its holder still be alive, the epoch fences it off.
    func acquireLease(
        channel: Snowflake,
        holder: String,
        duration: Duration,
        startingAt: Snowflake
    ) throws -> ChannelLease? {
        let found = try query(
            """
            INSERT INTO fetch_cursors (channel_id, contiguous_id, backfill_until, holder, epoch, expires_at)
            VALUES ($1, $2, $2, $3, 1, \(dialect.later(bySeconds: "$4")))
            ON CONFLICT (channel_id) DO UPDATE SET
                epoch = fetch_cursors.epoch + CASE WHEN fetch_cursors.holder = excluded.holder THEN 0 ELSE 1 END,
                holder = excluded.holder,
                expires_at = excluded.expires_at
            WHERE fetch_cursors.holder IS NULL OR fetch_cursors.holder = excluded.holder
                OR fetch_cursors.expires_at IS NULL OR fetch_cursors.expires_at <= \(dialect.now)
                OR fetch_cursors.expires_at > \(dialect.later(bySeconds: "$5"))
            RETURNING epoch, contiguous_id, backfill_until
            """,
            [
                try SQLValue(channel), try SQLValue(startingAt), SQLValue(holder), SQLValue(duration),
                SQLValue(duration * 2),
            ]
        )
        guard let row = found.rows.first, let epoch = row[0].flatMap({ Int64($0) }),
            let contiguousID = row[1].flatMap({ Snowflake($0) })
        else { return nil }
        return ChannelLease(
            channel: channel,
            holder: holder,
            epoch: epoch,
            contiguousID: contiguousID,
            backfillUntil: row[2].flatMap { Snowflake($0) }
        )
    }

    func advance(_ lease: ChannelLease, to id: Snowflake, renewingFor duration: Duration) throws -> Bool {
        let higher = "CASE WHEN contiguous_id < $4 THEN $4 ELSE contiguous_id END"
        return try update(
            lease,
            setting: "contiguous_id = \(higher), expires_at = \(dialect.later(bySeconds: "$5"))",
            where: "AND contiguous_id >= $6",
            [try SQLValue(id), SQLValue(duration), try SQLValue(lease.contiguousID)]
        )
    }

    func finishBackfill(_ lease: ChannelLease, until: Snowflake) throws -> Bool {
        let lower = "CASE WHEN backfill_until < $4 THEN backfill_until ELSE $4 END"
        return try update(lease, setting: "backfill_until = \(lower)", [try SQLValue(until)])
    }

    func release(_ lease: ChannelLease) throws {
        _ = try update(lease, setting: "holder = NULL, expires_at = NULL", [])
    }

    /// - Returns: false when the lease is no longer the one the row knows.
    private func update(
        _ lease: ChannelLease,
        setting: String,
        where condition: String = "",
        _ values: [SQLValue]
    ) throws -> Bool {
        let found = try query(
            """
            UPDATE fetch_cursors SET \(setting)
            WHERE channel_id = $1 AND holder = $2 AND epoch = $3 \(condition) RETURNING channel_id
            """,
            [try SQLValue(lease.channel), SQLValue(lease.holder), .integer(lease.epoch)] + values
        )
        return !found.rows.isEmpty
    }
}
