"""Reads the simulator with hikari, as a REST client: history, a retried 429, channel look-ups, errors."""

import asyncio
import logging

import hikari

from common import API, TOKEN, UNKNOWN_CHANNEL, channels, control, expect, expect_whole_history

INGESTIBLE = {0, 19, 20, 23}


async def expect_failure(kind, code, work, sentence):
    try:
        await work
    except kind as error:
        expect(error.code == code, f"{sentence} with code {code}, not {error.code}")
    else:
        expect(False, sentence)


async def main():
    # The 429s below are asked for, so hikari's warnings about them are no news.
    logging.getLogger("hikari").setLevel(logging.ERROR)
    readable, denied = channels()
    app = hikari.RESTApp(url=API)
    await app.start()
    async with app.acquire(TOKEN, hikari.TokenType.BOT) as client:
        me = await client.fetch_my_user()
        expect(me.is_bot, "the token's user is a bot")
        application = await client.fetch_application()
        expect(
            hikari.ApplicationFlags.MESSAGE_CONTENT_INTENT_LIMITED in application.flags,
            "message content is switched on")

        channel = await client.fetch_channel(readable[-1])
        expect(channel.id == readable[-1] and channel.name, "the channel is found")
        guild = await client.fetch_guild(channel.guild_id)
        expect(channel.id in [c.id for c in await client.fetch_guild_channels(guild)], "the server lists the channel")

        limited = control("/simulator/stats")["limited"]
        control("/simulator/faults", {"mode": "429", "requests": 2, "retry_after": 0.3})
        messages = await client.fetch_messages(channel, after=0)
        expect_whole_history(
            channel.id,
            [int(message.id) for message in messages],
            [int(message.id) for message in messages if int(message.type) in INGESTIBLE],
        )
        expect(control("/simulator/stats")["limited"] >= limited + 2, "429 was met and retried")
        newest = await client.fetch_messages(channel).limit(7)
        expect([m.id for m in newest] == [m.id for m in messages[:-8:-1]], "the newest come first")
        one = await client.fetch_message(channel, messages[3])
        expect(one.content == messages[3].content, "a single message is the same")

        expect(any(m.edited_timestamp for m in messages), "edits show")
        expect(any(m.embeds for m in messages), "embeds show")
        expect(any(m.referenced_message for m in messages), "replies carry what they answer")

        await expect_failure(
            hikari.NotFoundError, 10003, client.fetch_channel(UNKNOWN_CHANNEL), "an unknown channel is not found")
        await expect_failure(
            hikari.NotFoundError, 10008, client.fetch_message(channel, UNKNOWN_CHANNEL),
            "an unknown message is not found")
        await expect_failure(
            hikari.ForbiddenError, 50001, client.fetch_channel(denied), "a hidden channel is forbidden")

    async with app.acquire(TOKEN + "x", hikari.TokenType.BOT) as stranger:
        await expect_failure(hikari.UnauthorizedError, 0, stranger.fetch_my_user(), "a wrong token is refused")
    await app.close()
    print(f"hikari {hikari.__version__}: ok, {len(messages)} messages")


asyncio.run(main())
