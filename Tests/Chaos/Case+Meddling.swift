import Foundation
import TestSupport

/// What others do to the servers beside the tree, and what they put into its queues.
extension Case {
    static let meddling: [Case] = [
        Case("queues and exchanges deleted") { chaos in
            let rig = chaos.rig
            try rig.start()
            // What is in a deleted queue is gone, which is its owner's doing; so nothing is.
            try await rig.untilDrained()
            for queue in ["parse", "store", "dead.store", "retry.1s"] {
                try await chaos.servers.shell("rabbitmq_ctl $DIR/mq delete_queue \(rig.name).\(queue)")
            }
            let exchange = "rabbit_misc:r(<<\"/\">>, exchange, <<\"\(rig.name).work\">>)"
            try await chaos.servers.shell(
                "rabbitmq_ctl $DIR/mq eval 'rabbit_exchange:delete(\(exchange), false, <<\"chaos\">>).'"
            )
            try await rig.feeding { try await rig.sleep(seconds: 2) }
        },
        Case("a broker that comes back empty", isLong: true) { chaos in
            let rig = chaos.rig
            try rig.start()
            try await rig.untilDrained()
            try await chaos.servers.shell("kill -9 $(cat $DIR/mq/node.pid); sleep 1; rm -rf $DIR/mq/mnesia")
            try await chaos.servers.startBroker()
            try await rig.feeding { try await rig.sleep(seconds: 5) }
        },
        Case("rights and logins taken away") { chaos in
            let rig = chaos.rig
            try await rig.becomeARole()
            let rights = "insert, update on all tables in schema \(rig.name)"
            try await chaos.during {
                try await rig.alter("revoke \(rights) from \(rig.name)")
                try await chaos.permit("^$")
                try await rig.sleep(seconds: chaos.seconds(1, 30))
                try await rig.alter(
                    """
                    alter role \(rig.name) nologin; grant \(rights) to \(rig.name);
                    select pg_terminate_backend(pid) from pg_stat_activity where usename = '\(rig.name)'
                    """
                )
                try await chaos.permit(".*")
                try await rig.sleep(seconds: chaos.seconds(1, 30))
                try await rig.alter("alter role \(rig.name) login")
            }
        },
        Case("tables locked, renamed and half restored") { chaos in
            let rig = chaos.rig
            try await rig.becomeARole()
            try await rig.alter("alter role \(rig.name) set lock_timeout = '200ms'")
            let seconds = chaos.seconds(1.5, 20)
            try await chaos.during {
                try await rig.alter(
                    "begin; lock table messages in access exclusive mode; select pg_sleep(\(seconds)); commit"
                )
                try await rig.alter("alter table messages rename to gone")
                try await rig.sleep(seconds: seconds)
                // As a dump leaves them until its end.
                try await rig.alter(
                    "alter table gone rename to messages; alter table messages drop constraint messages_pkey"
                )
                try await rig.alter("alter table fetch_cursors drop constraint fetch_cursors_pkey")
                try await rig.sleep(seconds: seconds)
                try await rig.alter("alter table messages add primary key (id)")
                try await rig.alter("alter table fetch_cursors add primary key (channel_id)")
            }
            guard !rig.log.contains("will be tried again") else { throw TimedOut(what: "an outage without attempts") }
        },
        Case("the database put back to an earlier state") { chaos in
            let rig = chaos.rig
            try rig.start()
            try await rig.untilDrained()
            try await rig.alter(
                """
                begin;
                create temporary table cut as select id from messages order by id desc limit 40;
                update fetch_cursors set contiguous_id = least(contiguous_id, (select min(id) - 1 from cut));
                delete from trading_signal where message_id in (select id from cut);
                delete from trading_signal_trading_stops where message_id in (select id from cut);
                delete from messages where id in (select id from cut);
                commit
                """
            )
            try await rig.feeding { try await rig.sleep(seconds: 1) }
        },
        Case("pages from Discord that are short of what follows") { chaos in
            let rig = chaos.rig
            let seconds = chaos.seconds(8, 30)
            try await rig.discord.order("faults", #"{"mode":"short","seconds":\#(seconds)}"#)
            try rig.start()
            try await rig.untilStored(150)
            // More between two polls than a page holds.
            try await rig.feeding(rate: 200) { _ in try await rig.sleep(seconds: seconds / 2) }
        },
        Case("rubbish in the queues", dead: Rubbish.letters) { chaos in
            let rig = chaos.rig
            try rig.start()
            try await rig.untilStored(100)
            try rig.folder.write(Rubbish.erlang(prefix: rig.name), to: "rubbish.erl")
            let file = rig.folder.url.appending(path: "rubbish.erl").path
            try await chaos.servers.shell("rabbitmq_ctl $DIR/mq eval \"$(cat '\(file)')\"")
            try await rig.feeding {
                try await eventually("all of it is dead", within: .seconds(90)) {
                    try await rig.count("select count(*) from dead_letters") == Rubbish.letters
                }
            }
            guard !rig.log.contains("ended and will be restarted") else {
                throw TimedOut(what: "rubbish that ends no worker")
            }
        },
    ]
}

/// What nobody of ours would publish.
private enum Rubbish {
    /// By exchange, routing key, further headers, further properties and body; each becomes a dead letter of its own.
    private static let messages: [(exchange: String, key: String, headers: String, properties: String, body: String)] =
        [
            ("work", "parse", "", "", "<<\"nonsense 1\">>"),
            ("work", "parse", "", "", "<<\"nonsense 2\">>"),
            ("work", "parse", "", "", "<<>>"),
            ("work", "parse", "", "{message_id, <<\"same\">>}", "<<\"nonsense 3\">>"),
            ("work", "parse", "", "{message_id, <<\"same\">>}", "<<\"nonsense 4\">>"),
            ("work", "parse", "", "{message_id, <<\"page\">>}", "<<\"[7]\">>"),
            ("work", "parse", "{<<\"cf-attempt\">>, signedint, -5}", "", "<<\"nonsense 5\">>"),
            ("work", "parse", "{<<\"cf-attempt\">>, long, 9223372036854775807}", "", "<<\"nonsense 6\">>"),
            ("work", "parse", "{<<\"cf-schema\">>, longstr, Long}", "", "<<\"nonsense 7\">>"),
            ("work", "parse", "{<<\"cf-replay\">>, longstr, Long}", "", "<<\"nonsense 8\">>"),
            ("work", "parse", "{<<\"x-death\">>, longstr, <<\"rubbish\">>}", "", "<<\"nonsense 9\">>"),
            ("work", "parse", "", "{timestamp, 18446744073709551615}", "<<\"nonsense 10\">>"),
            ("work", "parse", "", "{priority, 200}, {type, <<\"message.delete\">>}", "<<\"nonsense 11\">>"),
            ("work", "parse", "", "", "binary:copy(<<\"h\">>, 17000000)"),
            ("work", "store", "", "", "<<\"nonsense 12\">>"),
            ("work", "store", "", "{type, <<\"message.delete\">>}", "<<\"nonsense 13\">>"),
            ("dead", "store", "", "{timestamp, 9000000000000}", "<<\"nonsense 14\">>"),
            ("dead", "parse", "{<<\"cf-error\">>, longstr, <<\"a: \", 0, 255>>}", "", "<<\"nonsense 15\">>"),
        ]

    static let letters = messages.count

    static func erlang(prefix: String) -> String {
        let publishes = messages.map { message in
            let headers = ["{<<\"cf-pipeline\">>, longstr, <<\"\(prefix)\">>}", message.headers]
            let properties = ["{headers, [\(joined(headers))]}", message.properties]
            return
                "P(<<\"\(prefix).\(message.exchange)\">>, <<\"\(message.key)\">>, [\(joined(properties))], \(message.body))"
        }
        return """
            P = fun(X, Key, Properties, Body) ->
                Name = rabbit_misc:r(<<"/">>, exchange, X),
                case erlang:function_exported(rabbit_basic, publish, 4) of
                    true -> rabbit_basic:publish(Name, Key, Properties, Body);
                    false ->
                        % RabbitMQ 4.
                        Message = rabbit_basic:message(Name, Key, Properties, Body),
                        rabbit_queue_type:publish_at_most_once(Name, Message)
                end
            end,
            Long = binary:copy(<<"x">>, 70000),
            \(publishes.joined(separator: ",\n")),
            ok.
            """
    }

    private static func joined(_ parts: [String]) -> String { parts.filter { !$0.isEmpty }.joined(separator: ", ") }
}

extension Chaos {
    /// Gives the pipeline the rights on the broker that a pattern matches, over new connections.
    fileprivate func permit(_ pattern: String) async throws {
        try await servers.shell(
            """
            rabbitmq_ctl $DIR/mq set_permissions -p / chaffinch '\(pattern)' '\(pattern)' '\(pattern)'
            rabbitmq_ctl $DIR/mq close_all_connections chaos || true
            """
        )
    }
}

extension Rig {
    fileprivate func untilDrained() async throws {
        try await untilStored(try await sourceIDs().count)
        try await eventually("the queues are empty") { try await queued() == 0 }
    }

    /// Has the pipeline log in to Postgres as a role of its own, which owns its schema.
    fileprivate func becomeARole() async throws {
        try await alter("create role \(name) login password 'secret'; alter schema \(name) owner to \(name)")
        let url = DatabaseServers.url(servers.databaseURL, schema: name)
        environment["DATABASE_URL"] = url.replacing(/\/\/chaffinch:[^@]*@/, with: "//\(name):secret@")
    }
}
