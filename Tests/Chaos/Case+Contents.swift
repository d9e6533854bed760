import Foundation
import TestSupport

/// Messages that are at fault themselves.
extension Case {
    static let contents: [Case] = [
        Case("a record that crashes parse", dead: 1) { chaos in
            let rig = chaos.rig
            let library = try await crashingLibrary(in: rig.folder)
            try rig.start(with: ["LD_PRELOAD": library])
            try await rig.untilStored(200)
            try await rig.feeding {
                try await rig.post("$BTC long POISON entry 68000 SL 67000")
                try await eventually("it is dead", within: .seconds(90)) {
                    try await rig.count("select count(*) from dead_letters where error_code = 'crash'") == 1
                }
            }
            try rig.expectCrashes()
        },
        Case("a record in a page that crashes parse", dead: 1) { chaos in
            let rig = chaos.rig
            let library = try await crashingLibrary(in: rig.folder)
            // Posted before the start, so that it lies in the last page of the history.
            try await rig.post("$BTC long POISON entry 68000 SL 67000")
            try rig.start(with: ["LD_PRELOAD": library])
            try await eventually("it is dead", within: .seconds(90)) {
                (try? await rig.count("select count(*) from dead_letters where error_code = 'crash'")) == 1
            }
            try rig.expectCrashes()
        },
        Case("rows that the database refuses", dead: 3) { chaos in
            let rig = chaos.rig
            try rig.start()
            try await rig.untilStored(1)
            try await rig.alter("alter table messages add constraint refused check (content not like '%REFUSED%')")
            try await rig.feeding {
                for number in 1...3 { try await rig.post("REFUSED \(number)") }
                try await rig.sleep(seconds: 2)
            }
        },
        Case("rows that fail at first and are taken later") { chaos in
            let rig = chaos.rig
            try rig.start()
            try await rig.untilStored(1)
            try await rig.alter(
                """
                create table installed as select clock_timestamp() as at;
                create function fail_early() returns trigger language plpgsql as $$
                begin
                    if clock_timestamp() < (select at from installed) + interval '4 s' then
                        raise exception 'too early' using errcode = 'XX000';
                    end if;
                    return new;
                end $$;
                create trigger too_early before insert on messages for each row
                    when (new.content like '%EARLY%') execute function fail_early()
                """
            )
            try await rig.feeding {
                try await rig.post("EARLY")
                try await eventually("a retry") { rig.log.contains("will be tried again") }
                try await eventually("it is stored") {
                    try await rig.count("select count(*) from messages where content = 'EARLY'") == 1
                }
            }
        },
    ]

    /// A library that crashes whoever matches a pattern against the word POISON: a fault in the regex engine, as far as
    /// parse can tell.
    private static func crashingLibrary(in folder: TemporaryFolder) async throws -> String {
        try await PreloadedLibrary.compile(
            "crash",
            """
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <stdint.h>
            #include <stdlib.h>
            #include <string.h>
            typedef int match_function(const void *, const uint8_t *, size_t, size_t, uint32_t, void *, void *);
            #define WRAP(name) \\
                int name(const void *code, const uint8_t *text, size_t length, size_t start, uint32_t options, \\
                         void *data, void *context) { \\
                    static match_function *next; \\
                    if (text && memmem(text, length, "POISON", 6)) abort(); \\
                    if (!next) next = (match_function *)dlsym(RTLD_NEXT, #name); \\
                    return next(code, text, length, start, options, data, context); \\
                }
            WRAP(pcre2_match_8)
            WRAP(pcre2_jit_match_8)
            """,
            in: folder
        )
    }
}

extension Rig {
    /// Some, and fewer than open a breaker.
    fileprivate func expectCrashes() throws {
        guard log.contains("killed by SIGABRT") else { throw TimedOut(what: "a crash") }
        guard !log.contains("its breaker is open") else { throw TimedOut(what: "a breaker that stays closed") }
    }
}
