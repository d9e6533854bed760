package import Model

/// The right to read one channel and to move its cursor, for as long as nobody else took it over.
package struct ChannelLease: Sendable, Equatable {
    package var channel: Snowflake
    package var holder: String
    /// Raised whenever the holder changes; what is asked under an older epoch is refused.
    package var epoch: Int64
    /// Every message up to this id was published and confirmed, and the database was told so.
    package var contiguousID: Snowflake
    /// How far back history was read: everything behind this id, up to ``contiguousID``.
    package var backfillUntil: Snowflake?

    package init(
        channel: Snowflake,
        holder: String,
        epoch: Int64,
        contiguousID: Snowflake,
        backfillUntil: Snowflake? = nil
    ) {
        self.channel = channel
        self.holder = holder
        self.epoch = epoch
        self.contiguousID = contiguousID
        self.backfillUntil = backfillUntil
    }
}
