import Messaging
import Storage
import Testing
import Workers

@Suite struct DeadLetterIdentityTests {
    private func identity(_ body: String, _ type: String? = WireType.page, messageID: String? = nil) -> String {
        DeadLetter.identity(of: Array(body.utf8), type: type, messageID: messageID)
    }

    @Test func aMessageHasOneLetterHoweverItCame() {
        // The last of a page that was fetched twice: split off it, and in a page of its own.
        #expect(identity(#"[{"id":"5"}]"#, messageID: "5") == "5")
        #expect(identity(#"[{"id":"5"}]"#, messageID: "7:5-5:0") == "5")
        #expect(identity(#"[{"message":{"id":"5"}}]"#, WireType.batch, messageID: "7:1-9:0") == "5")
        #expect(identity(#"{"id":"5"}"#) == "5")
    }

    @Test(arguments: [#"[{"id":"5"},{"id":"6"}]"#, #"[{"id":"5"},{}]"#, "[{}]", "[]", "rubbish", ""])
    func whatElseDiesIsKnownByWhatIsInIt(_ body: String) {
        let identity = identity(body, messageID: "5")
        #expect(identity.hasPrefix("5~"))
        #expect(identity != self.identity(body + " ", messageID: "5"))
        #expect(self.identity(body).hasPrefix("unknown~"))
    }

    @Test func aDeletionIsNotTheMessageThatItDeletes() {
        #expect(identity(#"[{"id":"5"}]"#, WireType.delete, messageID: "delete:7:5-5").hasPrefix("delete:7:5-5~"))
    }
}
