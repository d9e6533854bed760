import TestSupport

/// A fault and how it is brought about.
struct Case: Sendable {
    let name: String
    /// Messages that must end in the dead letters.
    var dead = 0
    var setting = Rig.Setting()
    /// Only in the long run.
    var isLong = false
    let run: @Sendable (inout Chaos) async throws -> Void

    init(
        _ name: String,
        dead: Int = 0,
        _ setting: Rig.Setting = Rig.Setting(),
        isLong: Bool = false,
        run: @escaping @Sendable (inout Chaos) async throws -> Void
    ) {
        self.name = name
        self.dead = dead
        self.setting = setting
        self.isLong = isLong
        self.run = run
    }
}

/// Thrown by a case that this machine cannot carry out.
struct Skipped: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// What a case works with: its pipeline, which is not started yet, and the same random numbers for the same seed.
struct Chaos {
    let rig: Rig
    let isQuick: Bool
    /// How long the case of a random kill every two seconds goes on.
    let killSeconds: Int
    var random: SplitMix64
    /// What the case found out, for its line.
    var remark = ""

    var servers: Servers { rig.servers }

    /// Seconds in the quick run and in the long one.
    func seconds(_ quick: Double, _ long: Double) -> Double { isQuick ? quick : long }
    func times(_ quick: Int, _ long: Int) -> Int { isQuick ? quick : long }
}

/// Small and good enough, and the same on every machine (Steele, Lea and Flood, 2014).
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

extension Case {
    static let all: [Case] =
        [baseline] + kills + trees + outages + networks + clocks + meddling + contents + operators + disks
    /// Without a fault: what the recording makes, and what a message of each kind makes, is the measure for the others.
    static let baseline = Case("no fault") { chaos in
        try chaos.rig.start()
        for kind in Feeder.Kind.allCases { try await chaos.rig.post(kind) }
    }
}
