import Messaging
package import Model
import Remote
import Storage

extension Fault {
    /// Classifies an error: the one place that decides what is transient, permanent, an outage or the configuration.
    /// docs/delivery.md holds the same table.
    package init(_ error: any Error) {
        switch error {
        case let fault as Fault: self = fault
        case let error as StoreError: self.init(Self.kind(of: error.code), code: error.state, "\(error)")
        case let error as BrokerError: self.init(Self.kind(of: error.code), "\(error)")
        case let error as DiscordError: self.init(Self.kind(of: error.code), "\(error)")
        case let fault as OpenAIFault: self.init(Self.kind(of: fault.kind), "\(fault)")
        case is UnpublishableMessage, is JSONError, is MessageError, is RecordBatchError:
            self.init(.permanent, "\(error)")
        default: self.init(.transient, "\(error)")
        }
    }

    private static func kind(of code: StoreError.Code) -> Kind {
        switch code {
        // Rights are taken away and given back on the server alone, and a lock is no fault of a message.
        case .unavailable, .notSetUp, .permission, .lockTimeout: .outage
        case .badData: .permanent
        case .internal: .transient
        case .notAdditive, .otherPipeline, .badURL: .configuration
        }
    }

    private static func kind(of code: BrokerError.Code) -> Kind {
        switch code {
        case .unavailable, .closed, .timeout: .outage
        case .accessRefused, .conflict: .configuration
        }
    }

    private static func kind(of fault: OpenAIFault.Kind) -> Kind {
        switch fault {
        case .limited, .quotaSpent, .unauthorised, .notFound: .outage
        case .refused: .permanent
        case .passing: .transient
        }
    }

    private static func kind(of code: DiscordError.Code) -> Kind {
        switch code {
        case .unavailable, .tooManyInvalid: .outage
        case .unauthorised: .configuration
        case .forbidden, .unknownChannel, .badRequest: .permanent
        }
    }
}
