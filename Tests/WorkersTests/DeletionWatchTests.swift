import Model
import Testing

@testable import Workers

@Suite struct DeletionWatchTests {
    private static func page(_ ids: [UInt64], type: Int = 0) throws -> [Page.Element] {
        let objects = ids.map {
            #"{"id":"\#($0)","channel_id":"42","type":\#(type),"timestamp":"2026-11-22T12:00:00Z","content":"hello"}"#
        }
        return try Page.unpack("[\(objects.joined(separator: ","))]")
    }

    struct Case: CustomTestStringConvertible {
        var testDescription: String
        var pages: [[UInt64]]
        var deleted: [[UInt64]]
    }

    @Test(arguments: [
        Case(testDescription: "nothing goes", pages: [[1, 2, 3], [1, 2, 3], [2, 3, 4]], deleted: [[], [], []]),
        Case(testDescription: "one goes", pages: [[1, 2, 3], [1, 3], [1, 3], [1, 3]], deleted: [[], [], [2], []]),
        Case(
            testDescription: "one is missing once",
            pages: [[1, 2, 3], [1, 3], [1, 2, 3], [1, 3]],
            deleted: [[], [], [], []]
        ),
        Case(
            testDescription: "the newest shows when another comes",
            pages: [[1, 2, 3], [1, 2], [1, 2], [1, 2, 4], [1, 2, 4]],
            deleted: [[], [], [], [], [3]]
        ),
        Case(
            testDescription: "what falls off the page is not gone",
            pages: [[1, 2, 3], [3, 4, 5], [3, 4, 5]],
            deleted: [[], [], []]
        ),
        Case(
            testDescription: "an empty answer says nothing",
            pages: [[1, 2, 3], [], [1, 3], [1, 3]],
            deleted: [[], [], [], [2]]
        ),
    ])
    func tells(_ testCase: Case) throws {
        var watch = DeletionWatch()
        let deleted = try testCase.pages.map { watch.read(try Self.page($0)) }
        #expect(deleted == testCase.deleted.map { $0.map { Snowflake($0) } })
    }

    @Test func systemMessagesAreNotWatched() throws {
        var watch = DeletionWatch()
        for page in [
            try Self.page([1]) + Self.page([2], type: 7) + Self.page([3]), try Self.page([1, 3]),
            try Self.page([1, 3]),
        ] {
            #expect(watch.read(page).isEmpty)
        }
    }

    @Test func somethingWithoutAnIDMakesAPageUncertain() throws {
        var watch = DeletionWatch()
        let odd = try Page.unpack(#"[{"content":"no id"}]"#)
        for page in [try Self.page([1, 2, 3]), try Self.page([1, 3]) + odd, try Self.page([1, 3]) + odd] {
            #expect(watch.read(page).isEmpty)
        }
        #expect(watch.read(try Self.page([1, 3])).isEmpty)
        #expect(watch.read(try Self.page([1, 3])) == [Snowflake(2)])
    }

    @Test func deletionsTravel() throws {
        let deletions = [
            DeletePage.Deletion(
                id: Snowflake(5),
                channelID: Snowflake(42),
                seenAt: Timestamp(microseconds: 1_700_000_000_000_000)
            )
        ]
        #expect(try DeletePage.decode(DeletePage.encode(deletions)) == deletions)
        #expect(throws: MessageError.self) { try DeletePage.decode(#"[{"id":"5"}]"#) }
        #expect(throws: JSONError.self) { try DeletePage.decode(#"{"id":"5"}"#) }
    }
}
