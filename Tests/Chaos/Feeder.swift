import Foundation
import Synchronization
import TestSupport

/// Posts messages until it is stopped; every fifth is a signal with two stops.
final class Feeder: Sendable {
    private static let signal = #"$BTC long\nEntry: 68000-68500\nSL: 67000\nTP1: 70,500"#

    private struct State {
        var isStopping = false
        var posts: Int?
        var waiter: CheckedContinuation<Int, Never>?
    }

    private let discord: SimulatedDiscord
    private let channels: [String]
    private let state = Mutex(State())

    init(_ discord: SimulatedDiscord, _ channels: [String]) {
        self.discord = discord
        self.channels = channels
    }

    func start() {
        Task.detached { await self.run() }
    }

    /// - Returns: how many messages the simulator took.
    func stop() async -> Int {
        await withCheckedContinuation { continuation in
            let posts = state.withLock { state -> Int? in
                state.isStopping = true
                if state.posts == nil { state.waiter = continuation }
                return state.posts
            }
            if let posts { continuation.resume(returning: posts) }
        }
    }

    private func run() async {
        var posts = 0
        while !state.withLock({ $0.isStopping }) {
            let content = posts % 5 == 0 ? Self.signal : "talk number \(posts)"
            let channel = channels[posts % channels.count]
            let message = #"{"channel_id":"\#(channel)","content":"\#(content)"}"#
            guard (try? await discord.order("messages", message)) != nil else { break }
            posts += 1
            try? await Task.sleep(for: .milliseconds(40))
        }
        let total = posts
        let waiter = state.withLock { state in
            state.posts = total
            return state.waiter
        }
        waiter?.resume(returning: total)
    }
}
