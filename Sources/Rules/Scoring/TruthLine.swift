package import Model

/// A message with the records that must come of it: one line of a truth file.
package struct TruthLine: Sendable {
    /// From 1, in the file that holds the messages.
    package var number: Int
    package var message: Message
    /// Contradictory or doubtful: read, and not counted.
    package var isAmbiguous: Bool
    /// In the order of the line; empty where no record may come.
    var records: [TruthRecord]
    /// The expected records as they were written, for reports.
    package var written: [UInt8]
}

/// What a truth file says of one record, by places in the record type.
struct TruthRecord: Sendable {
    var type: RecordType
    /// `nil` where the line says `null`: the field must be absent.
    var fields: [Int: FieldValue?] = [:]
    /// By list; each element by its fields' places.
    var lists: [Int: [[Int: FieldValue]]] = [:]
    /// The short form of a list, by one value of its enum: `"stop_loss": [4620]` for
    /// `"trading_stops": [{"type": "stop_loss", "price": 4620}]`. How elements of different values follow each other
    /// in the text it leaves open.
    var groups: [ListGroup: [FieldValue]] = [:]
}

/// The elements of a list whose enum has one value, told by one other field.
struct ListGroup: Hashable, Sendable {
    var list: Int
    /// The enum's place among the list's fields.
    var selector: Int
    var value: String
    /// The place of the field that the short form gives.
    var field: Int

    /// The group that `name` stands for in records of `type`; `nil` where no list has exactly one such enum value and
    /// one other required field.
    init?(_ name: String, in type: RecordType) {
        for (list, listType) in type.lists.enumerated() {
            for (selector, field) in listType.fields.enumerated() where field.values.contains(name) {
                let others = listType.fields.indices.filter { $0 != selector && listType.fields[$0].required }
                guard others.count == 1 else { continue }
                self.list = list
                self.selector = selector
                value = name
                self.field = others[0]
                return
            }
        }
        return nil
    }
}
