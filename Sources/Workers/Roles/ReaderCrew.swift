import Model
import PipelineFile

/// Which channels have a reader, and which are to have one. A plain value: whoever asks starts the readers.
struct ReaderCrew {
    private struct Reader {
        var channel: Pipeline.Channel
        var drain: DrainSignal
    }

    private var wanted: [Pipeline.Channel] = []
    private var readers: [Snowflake: Reader] = [:]

    /// Readers of channels that are gone, or not as they were, are told to end.
    mutating func want(_ channels: [Pipeline.Channel]) {
        wanted = channels
        for reader in readers.values where !channels.contains(reader.channel) { reader.drain.request() }
    }

    mutating func ended(_ channel: Snowflake) { readers[channel] = nil }

    /// A channel that has no reader and now gets one, with the signal that ends it; `nil` when there is none. A channel
    /// that changed waits until its old reader is gone: the lease is one.
    mutating func next() -> (Pipeline.Channel, DrainSignal)? {
        guard let channel = wanted.first(where: { readers[$0.id] == nil }) else { return nil }
        let reader = Reader(channel: channel, drain: DrainSignal())
        readers[channel.id] = reader
        return (channel, reader.drain)
    }
}
