import Messaging
import Model

/// A delivery while the plugin is asked about its messages, one after the other.
struct PluginPage {
    let delivery: Delivery
    /// Not answered yet.
    var open: ArraySlice<ParsedMessage>
    /// With records, or declined.
    var decided: [ParsedMessage] = []
    /// Messages for the retry levels and the dead queue.
    var failed: [OutgoingMessage] = []

    /// How far the plugin came with it.
    enum Progress: Equatable {
        case finished
        /// It takes long, and RabbitMQ must not wait for ever for its acknowledgement.
        case late
        case draining
        /// The plugin failed too often in a row and has a rest.
        case resting
        /// The plugin ended by itself, or could not be started again.
        case ended(PluginEnd)
    }
}
