/// What a worker has in hand at once, and what those who finish tell its loop.
actor Hands {
    private var count = 0
    private var done = 0
    /// Why the last that was parked was; the loop waits then.
    private(set) var parking: Asker.Parking?
    private var waiting: [(most: Int, continuation: CheckedContinuation<Void, Never>)] = []

    var isEmpty: Bool { count == 0 }

    func take() {
        count += 1
    }

    func giveBack(done finished: Int, parking: Asker.Parking?) {
        count -= 1
        done += finished
        self.parking = parking ?? self.parking
        let ready = waiting.filter { count <= $0.most }
        waiting.removeAll { count <= $0.most }
        for waiter in ready { waiter.continuation.resume() }
    }

    func forgetParking() {
        parking = nil
    }

    /// Messages finished since this was last asked.
    func takeDone() -> Int {
        defer { done = 0 }
        return done
    }

    func wait(untilAtMost most: Int) async {
        guard count > most else { return }
        await withCheckedContinuation { waiting.append((most, $0)) }
    }
}
