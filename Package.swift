// swift-tools-version: 6.2

import PackageDescription

var settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

// The scripts and CI set this; a newer compiler's new warnings must not stop anyone else's build.
if Context.environment["CHAFFINCH_WARNINGS"] == "error" {
    settings.append(.treatAllWarnings(as: .error))
}

let log = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "chaffinch",
    products: [
        .executable(name: "chaffinch", targets: ["chaffinch"]),
        .executable(name: "discord-simulator", targets: ["discord-simulator"]),
        .executable(name: "openai-simulator", targets: ["openai-simulator"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
    ],
    targets: [
        // The C libraries: one system-library target each, each imported by exactly one Swift target.
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        .systemLibrary(name: "CVectorscan", pkgConfig: "libhs", providers: [.apt(["libvectorscan-dev"])]),
        .systemLibrary(name: "CRabbitMQ", pkgConfig: "librabbitmq", providers: [.apt(["librabbitmq-dev"])]),
        .systemLibrary(name: "CPostgreSQL", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),

        // Our own C and C++: a JSON shim over simdjson, and the spawn and reap layer.
        .target(
            name: "CSimdJSON",
            // NDEBUG spares simdjson's checks of how it is called, which cost half of its time.
            cxxSettings: [.unsafeFlags(["-std=c++17", "-O2"]), .define("NDEBUG")],
            linkerSettings: [.linkedLibrary("simdjson"), .linkedLibrary("stdc++")]
        ),
        .target(name: "CProcess"),

        // The libraries: every arrow points toward Model.
        .target(name: "Model", dependencies: ["CSimdJSON"], swiftSettings: settings),
        .target(name: "PipelineFile", dependencies: ["Model", "CYAML"], swiftSettings: settings),
        .target(
            name: "Rules",
            dependencies: ["Model", "PipelineFile", "CPCRE2", "CVectorscan"],
            swiftSettings: settings
        ),
        .target(name: "Messaging", dependencies: ["Model", "CRabbitMQ", log], swiftSettings: settings),
        .target(
            name: "Storage",
            dependencies: ["Model", "CPostgreSQL", .product(name: "GRDB", package: "GRDB.swift"), log],
            swiftSettings: settings
        ),
        .target(name: "Remote", dependencies: ["Model", "CCurl", log], swiftSettings: settings),
        .target(name: "Processes", dependencies: ["CProcess"], swiftSettings: settings),
        .target(name: "Supervision", dependencies: ["Model", "Processes", log], swiftSettings: settings),
        .target(
            name: "Workers",
            dependencies: ["Model", "PipelineFile", "Rules", "Messaging", "Storage", "Remote", "Processes", log],
            swiftSettings: settings
        ),

        // The executables: wiring only.
        .executableTarget(
            name: "chaffinch",
            dependencies: [
                "Model", "PipelineFile", "Rules", "Messaging", "Storage", "Remote", "Processes", "Supervision",
                "Workers", log,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        // For development: the services Chaffinch talks to, simulated.
        .target(
            name: "SimulatorKit",
            dependencies: ["Model", .product(name: "Hummingbird", package: "hummingbird"), log],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "discord-simulator",
            dependencies: [
                "Model", "SimulatorKit", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "openai-simulator",
            dependencies: [
                "Model", "SimulatorKit", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),

        // Benchmark and fuzz runs of the rules and of the wire, for `scripts/bench` and `scripts/fuzz`, and the program
        // whose instructions `scripts/bench-guard` counts.
        .target(
            name: "CBenchmarks",
            path: "Benchmarks/C",
            cxxSettings: [.unsafeFlags(["-std=c++17", "-O2"])],
            linkerSettings: [.linkedLibrary("simdjson"), .linkedLibrary("stdc++")]
        ),
        .target(
            name: "BenchmarkKernels",
            dependencies: ["Model", "PipelineFile", "Rules", "CBenchmarks"],
            path: "Benchmarks/Kernels",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "guard-trial",
            dependencies: ["BenchmarkKernels", "CBenchmarks", "Model", "Rules"],
            path: "Benchmarks/Guard",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "rules-trial",
            dependencies: [
                "Model", "PipelineFile", "Rules", "BenchmarkKernels",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/Rules",
            swiftSettings: settings
        ),

        // Tests mirror the targets; TestSupport finds the servers that `scripts/test` started.
        .target(name: "TestSupport", dependencies: ["Model"], path: "Tests/TestSupport", swiftSettings: settings),
        .testTarget(name: "ModelTests", dependencies: ["Model", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "PipelineFileTests",
            dependencies: ["PipelineFile", "Model", "TestSupport"],
            resources: [.copy("Fixtures")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "RulesTests",
            dependencies: ["Rules", "PipelineFile", "Model", "TestSupport"],
            resources: [.copy("Fixtures")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "RemoteTests",
            dependencies: ["Remote", "Model", "TestSupport", log],
            swiftSettings: settings
        ),
        // The supervisor reaps every child of its process, so its tests give it a process of its own.
        .executableTarget(
            name: "supervision-host",
            dependencies: ["Supervision", "Processes"],
            path: "Tests/SupervisionHost",
            swiftSettings: settings
        ),
        .testTarget(
            name: "SupervisionTests",
            dependencies: ["Supervision", "Processes", "Model", "TestSupport", "supervision-host"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "WorkersTests",
            dependencies: [
                "Workers", "Processes", "Messaging", "Storage", "Remote", "Rules", "PipelineFile", "Model",
                "TestSupport",
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "IntegrationTests",
            dependencies: ["Workers", "Messaging", "Storage", "PipelineFile", "Model", "TestSupport", log],
            swiftSettings: settings
        ),
        // Not a test of its own: `scripts/chaos` runs it.
        .executableTarget(
            name: "chaos",
            dependencies: [
                "Storage", "Model", "TestSupport", log,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Chaos",
            swiftSettings: settings
        ),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "Storage", "Rules", "PipelineFile", "Model", "TestSupport", "chaffinch", "discord-simulator",
                "openai-simulator", log,
            ],
            swiftSettings: settings
        ),
    ]
)
