import Foundation
import Messaging
import Model
import Remote
import Storage
import TestSupport
import Testing

@testable import Messaging
@testable import Workers

@Suite struct FaultTableTests {
    /// An error of every row of the table in docs/delivery.md.
    private static let errors: [String: any Error] = [
        "StoreError.unavailable": StoreError(.unavailable, "away"),
        "StoreError.notSetUp": StoreError(.notSetUp, "no tables"),
        "StoreError.badData": StoreError(.badData, "too large"),
        "StoreError.lockTimeout": StoreError(.lockTimeout, "locked"),
        "StoreError.internal": StoreError(.internal, "odd"),
        "StoreError.notAdditive": StoreError(.notAdditive(sql: []), "no"),
        "StoreError.otherPipeline": StoreError(.otherPipeline, "another's"),
        "StoreError.permission": StoreError(.permission, "no"),
        "StoreError.badURL": StoreError(.badURL, "no"),
        "BrokerError.unavailable": BrokerError(.unavailable, "away"),
        "BrokerError.closed": BrokerError(.closed(320), "forced"),
        "BrokerError.timeout": BrokerError(.timeout, "late"),
        "BrokerError.accessRefused": BrokerError(.accessRefused, "no"),
        "BrokerError.conflict": BrokerError(.conflict, "no"),
        "DiscordError.unavailable": DiscordError(.unavailable, "500"),
        "DiscordError.tooManyInvalid": DiscordError(.tooManyInvalid, "403s"),
        "DiscordError.unauthorised": DiscordError(.unauthorised, "401"),
        "DiscordError.forbidden": DiscordError(.forbidden(50001), "403"),
        "DiscordError.unknownChannel": DiscordError(.unknownChannel, "404"),
        "DiscordError.badRequest": DiscordError(.badRequest, "400"),
        "OpenAIFault.limited": OpenAIFault(.limited(nil), "429"),
        "OpenAIFault.quotaSpent": OpenAIFault(.quotaSpent, "429"),
        "OpenAIFault.unauthorised": OpenAIFault(.unauthorised, "401"),
        "OpenAIFault.notFound": OpenAIFault(.notFound, "404"),
        "OpenAIFault.refused": OpenAIFault(.refused, "400"),
        "OpenAIFault.passing": OpenAIFault(.passing, "500"),
        "JSONError": JSONError(reason: "no array", offset: 0),
        "MessageError": Result { try Message(JSONDocument("{}").root) }.failure!,
        "RecordBatchError": RecordBatchError(problem: "no message"),
        "anything else": CocoaError(.fileNoSuchFile),
    ]

    @Test func theDocumentsTableIsTheWorkers() throws {
        let file = Project.root.appending(path: "docs/delivery.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        let rows = text.matches(of: /(?m)^\| `?([A-Za-z. ]+?)`? \| (transient|permanent|outage|configuration) \|$/)
        var documented: [String: String] = [:]
        for row in rows { documented[String(row.1)] = String(row.2) }
        #expect(documented == Self.errors.mapValues { Fault($0).kind.rawValue })
    }

    @Test func aFaultKeepsTheDatabasesCode() {
        let fault = Fault(StoreError(.badData, "Postgres: out of range (22003)", state: "22003"))
        #expect(fault.description == "permanent 22003: Postgres: out of range (22003)")
        #expect(Fault(fault) == fault)
    }

    @Test(arguments: [
        ("permanent: no array", "permanent", nil, "no array"),
        ("permanent 22003: a: b", "permanent", "22003", "a: b"),
        ("broker delivery_limit: given up", "broker", "delivery_limit", "given up"),
        ("what is this", "unknown", nil, "what is this"), ("not one of ours: x", "unknown", nil, "not one of ours: x"),
        (": x", "unknown", nil, ": x"),
    ]) func aDescriptionIsTakenApart(_ text: String, _ kind: String, _ code: String?, _ rest: String) {
        let parts = Fault.parts(of: text)
        #expect(parts.kind == kind && parts.code == code && parts.text == rest)
    }
}

extension Result {
    fileprivate var failure: Failure? { if case .failure(let error) = self { error } else { nil } }
}
