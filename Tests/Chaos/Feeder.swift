import Foundation
import Model
import Synchronization
import TestSupport

/// Posts messages at a steady rate until it is stopped; every fifth is a signal with two stops.
final class Feeder: Sendable {
    enum Kind: UInt8, Sendable, CaseIterable {
        case signal, talk

        var content: String {
            switch self {
            case .signal: #"$BTC long\nEntry: 68000-68500\nSL: 67000\nTP1: 70,500"#
            case .talk: "just talk"
            }
        }
    }

    typealias Posts = [UInt64: Kind]

    private static let largestOrder = 500

    private let discord: SimulatedDiscord
    private let channels: [String]
    private let rate: Double
    private let isStopping = Atomic(false)
    private let count = Atomic(0)
    private let work = Mutex<Task<Posts, Never>?>(nil)

    /// - Parameter rate: messages a second.
    init(_ discord: SimulatedDiscord, _ channels: [String], rate: Double = 25) {
        self.discord = discord
        self.channels = channels
        self.rate = rate
    }

    /// Posted so far.
    var posted: Int { count.load(ordering: .relaxed) }

    func start() {
        work.withLock { $0 = Task.detached { await self.run() } }
    }

    /// - Returns: the messages that the simulator took, by their ids.
    func stop() async -> Posts {
        isStopping.store(true, ordering: .relaxed)
        return await work.withLock { $0 }?.value ?? [:]
    }

    private func run() async -> Posts {
        var posts: Posts = [:]
        let start = ContinuousClock.now
        while !isStopping.load(ordering: .relaxed) {
            let owed = (ContinuousClock.now - start).inSeconds * rate + 1 - Double(posts.count)
            let due = Int(min(owed, Double(Self.largestOrder)))
            if due > 0 {
                let kinds = (0..<due).map { index -> Kind in
                    (posts.count + index).isMultiple(of: 5) ? .signal : .talk
                }
                guard let ids = try? await order(kinds, from: posts.count), ids.count == kinds.count else { break }
                for (id, kind) in zip(ids, kinds) { posts[id] = kind }
                count.store(posts.count, ordering: .relaxed)
            }
            if due < Self.largestOrder { try? await Task.sleep(for: .milliseconds(40)) }
        }
        return posts
    }

    private func order(_ kinds: [Kind], from number: Int) async throws -> [UInt64] {
        let messages = kinds.enumerated().map { index, kind in
            #"{"channel_id":"\#(channels[(number + index) % channels.count])","content":"\#(kind.content)"}"#
        }
        let answer = try await discord.order("posts", "[\(messages.joined(separator: ","))]")
        return answer.root.elements.compactMap { $0.string.flatMap { UInt64($0) } }
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
