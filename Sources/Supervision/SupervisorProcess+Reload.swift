internal import Model

/// Taking over what a check of the user's files found.
extension SupervisorProcess {
    func advanceReload(at now: Duration) {
        guard let reloader else { return }
        for (number, outcome) in reloader.advance(at: now, inUse: { generationsInUse }) {
            switch outcome {
            case .failed(let reason):
                note([reason])
                refuse(number, [reason], because: "the files could not be checked; nothing changes")
            case .found(let finding):
                reloader.follow(finding.watched)
                note(finding.problems)
                if let next = finding.tree {
                    takeOver(next, number, problems: finding.problems)
                } else {
                    refuse(
                        number,
                        finding.problems,
                        because: "the files have errors; running generation \(tree.generation), the last accepted one"
                    )
                }
            }
        }
    }

    /// - Returns: the number of the reload, or `nil` where nothing is reloaded.
    func reloadNow() -> Int? { reloader?.ask(at: Clock.monotonic) }

    private var generationsInUse: [Int] {
        let children = machine.replicas.map(\.specification) + machine.replicas.compactMap(\.previous)
        return Set(children.compactMap { $0.application?.generation } + [tree.generation]).sorted()
    }

    private func refuse(_ number: Int, _ problems: [String], because reason: String) {
        tree.degraded = reason
        sink.write(TreeLogLine(level: .error, message: "reload: \(reason)"))
        record(number, .refused, problems: problems, changes: [])
    }

    /// What was accepted since and nobody took over is no generation to fall back to.
    private func withdraw(_ next: TreeSpecification, keeping kept: TreeSpecification) {
        guard next.generation > kept.generation else { return }
        for number in (kept.generation + 1)...next.generation { reloader?.withdraw(number) }
    }

    private func note(_ problems: [String]) {
        for problem in problems { sink.write(TreeLogLine(level: .error, message: "reload: \(problem)")) }
    }

    private func takeOver(_ next: TreeSpecification, _ number: Int, problems: [String]) {
        do {
            try next.validate()
        } catch {
            withdraw(next, keeping: tree)
            note(["\(error)"])
            return refuse(number, ["\(error)"], because: "the new tree cannot be run; nothing changes")
        }
        let plan = TreePlan(from: Array(machine.children[..<machine.wanted]), to: next.children)
        reloads.problems = problems
        reloads.changes = plan.lines
        let isSame = plan.isEmpty && next.generation == tree.generation
        if isSame && machine.reload == nil {
            tree = next
            sink.write(TreeLogLine(level: .debug, message: "reload: nothing to change"))
            return record(number, .unchanged, problems: problems, changes: [])
        }
        var fields = plan.fields
        fields["generation"] = .integer(Int64(next.generation))
        sink.write(TreeLogLine(level: .info, message: "reload: plan", fields: fields))
        // While jobs prepare the one before, nobody works by that yet.
        if machine.reload?.jobs.isEmpty ?? true { treeBefore = tree }
        pendingTree = next
        pendingNumber = number
        tree = next
        reloads.isUnderWay = true
        handle(.reloadRequested(next.children, stopTimeout: next.stopTimeout))
    }

    /// The state machine has brought the tree to where it was to be, or as near as it could.
    func reloaded(_ end: ReloadEnd) {
        guard let next = pendingTree else { return }
        pendingTree = nil
        if let job = end.refusedBy {
            let said = logs.tail(job).suffix(3).map { "\(job): \($0)" }
            // Nobody works by it, and nobody shall who starts from here.
            withdraw(next, keeping: treeBefore)
            tree = treeBefore
            note(end.problems + said)
            return refuse(
                pendingNumber,
                reloads.problems + end.problems + said,
                because: "\(job) refused generation \(next.generation); running generation \(tree.generation)"
            )
        }
        let fields: [String: LogField] = ["generation": .integer(Int64(next.generation))]
        note(end.problems)
        if tree.degraded == nil, !end.problems.isEmpty { tree.degraded = end.problems.joined(separator: "; ") }
        let message = end.problems.isEmpty ? "reload: done" : "reload: done in part"
        sink.write(TreeLogLine(level: end.problems.isEmpty ? .info : .error, message: message, fields: fields))
        record(pendingNumber, .applied, problems: reloads.problems + end.problems, changes: reloads.changes)
    }

    /// - Parameter number: of the reload that is over; one that was asked for before may end after it.
    private func record(_ number: Int, _ result: ReloadRecord.Result, problems: [String], changes: [String]) {
        reloads = ReloadRecord(
            finished: max(number, reloads.finished),
            isUnderWay: pendingTree != nil,
            result: result,
            at: Clock.wall,
            problems: problems,
            changes: changes
        )
    }
}
