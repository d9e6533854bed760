package import Model

/// What the simulator says to one request, before it becomes HTTP.
package struct Answer: Sendable, Equatable {
    /// How the answer travels; anything but `whole` is a fault that was asked for.
    package enum Delivery: Sendable, Equatable {
        case whole
        /// The `Content-Length` promises so many bytes more than are sent before the connection closes.
        case closedEarly(missing: Int)
        /// No answer for so long, then the connection closes.
        case hang(microseconds: Int64)
        /// The connection is reset without a byte.
        case reset
    }

    package struct Header: Sendable, Equatable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package var status: Int
    package var headers: [Header] = []
    package var body: [UInt8]
    package var delivery = Delivery.whole
    /// Under which name it is counted; the status, unless a fault kept the status from arriving.
    package var countedAs: String

    package init(status: Int, json: [UInt8]) {
        self.status = status
        body = json
        countedAs = String(status)
        // The services simulated name no charset, and clients compare the whole value.
        headers = [Header(name: "Content-Type", value: "application/json")]
    }

    /// A page from the edge network in front of Discord, which knows nothing of JSON.
    package init(status: Int, html title: String) {
        self.status = status
        body = Array(
            """
            <!DOCTYPE html>
            <html lang="en"><head><title>\(title)</title></head>
            <body><h1>\(title)</h1><p>Ray ID: 8f3a5b2c4d6e7f90</p></body></html>

            """.utf8
        )
        countedAs = String(status)
        headers = [Header(name: "Content-Type", value: "text/html; charset=UTF-8")]
    }

    /// JSON made by a writer.
    package init(status: Int = 200, _ write: (inout JSONWriter) -> Void) {
        var writer = JSONWriter(reserving: 256)
        write(&writer)
        self.init(status: status, json: writer.bytes)
    }

    package mutating func add(_ name: String, _ value: String) {
        headers.append(Header(name: name, value: value))
    }
}

extension Answer {
    /// No answer at all, or none in time.
    package static func silence(_ delivery: Delivery, countedAs name: String) -> Answer {
        var answer = Answer(status: 500, json: [])
        answer.delivery = delivery
        answer.countedAs = name
        return answer
    }

    /// The same answer without its second half.
    package func cutShort(closesEarly: Bool) -> Answer {
        var answer = self
        answer.countedAs = "cut"
        answer.body.removeLast(answer.body.count - answer.body.count / 2)
        if closesEarly { answer.delivery = .closedEarly(missing: body.count - answer.body.count) }
        return answer
    }
}
