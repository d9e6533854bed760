/// What people write between the signals. Much of it uses the words of signals and is none.
enum ChatterTexts {
    static let talk = [
        "I am going long here, who is with me?",
        "gm everyone ☕",
        "Move SL to BE please",
        "TP1 hit 🎯 closing half",
        "that short squeeze was brutal",
        "anyone still holding from yesterday?",
        "Chart looks heavy under the daily open, I would rather wait",
        "what leverage do you guys use on these?",
        "stopped out by two dollars, of course",
        "CPI in ten minutes, flat until then",
        "nice entry! 👏",
        "not selling anything before 100k",
        "Is this a swing or just a scalp?",
        "reading the docs again, the bot was right",
        "long weekend ahead, no trades from me",
        "Funding is negative again",
        "update: cancelled, price ran away without us",
        "close it here, good for +2.4R",
        "whoever sold the bottom, thank you for your service",
        "my internet died in the middle of that candle",
        "lol",
        "does the 4h close matter here or only the daily?",
        "Took profit at the first target, rest at break even",
        "buy the rumour, sell the news 🙃",
        "can a mod pin the rules?",
        "I will be away until Monday, alerts stay on",
        "risk first: never more than 1% on one idea",
        "That level held three times now: 94,200",
        "short and sweet answer: no",
        "see you all in the voice chat at 18:00 UTC",
    ]

    static let replies = [
        "thanks, took it", "in at the lower edge", "why that stop?", "missed it by a minute", "same here",
        "TP2 reached, well done", "I would move the stop up", "waiting for a retest", "noted 👍", "out at break even",
    ]

    /// Look like signals at a first glance, but no order can be made of them.
    static let nearSignals = [
        "BTC long\nEntry: market\nSL: below the low",
        "ETH short idea, entry tbd",
        "SOL long\nTargets soon, wait for the close",
        "Watching LINK for a long, nothing yet",
        "XAUUSD buy zone below, sell zone above. No entry today.",
    ]
}
