/// Who depends on whom, by the children's positions in the tree.
struct DependencyGraph: Sendable {
    /// The direct dependencies of each child.
    let dependencies: [[Int]]
    /// Everything that each child depends on, directly or through others.
    let allDependencies: [Set<Int>]
    /// Everything that depends on a child, directly or through others.
    let dependants: [Set<Int>]
    /// Dependencies before dependants; shorter than the tree when there is a circle.
    let startOrder: [Int]
    /// A child that depends on itself through others.
    let nameInCircle: String?

    /// Unknown names are left out.
    init(_ children: [ChildSpecification]) {
        let position = Dictionary(
            children.enumerated().map { ($0.element.name, $0.offset) },
            uniquingKeysWith: { first, _ in first }
        )
        let dependencies = children.map { child in child.dependsOn.keys.compactMap { position[$0] }.sorted() }
        var ordered: [Int] = []
        var placed: Set<Int> = []
        while let next = children.indices.first(where: { index in
            !placed.contains(index) && dependencies[index].allSatisfy(placed.contains)
        }) {
            ordered.append(next)
            placed.insert(next)
        }
        var dependants = [Set<Int>](repeating: [], count: children.count)
        for index in ordered.reversed() {
            for dependency in dependencies[index] {
                dependants[dependency].formUnion(dependants[index].union([index]))
            }
        }
        self.dependencies = dependencies
        allDependencies = children.indices.map { child in
            Set(children.indices.filter { dependants[$0].contains(child) })
        }
        self.dependants = dependants
        startOrder = ordered
        nameInCircle = children.indices.first { !placed.contains($0) }.map { children[$0].name }
    }
}
