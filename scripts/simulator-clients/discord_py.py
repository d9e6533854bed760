"""Reads the simulator with discord.py, as a REST client: history, a retried 429, channel look-ups, errors."""

import asyncio

import discord
import discord.http

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
    discord.http.Route.BASE = API
    readable, denied = channels()
    async with discord.Client(intents=discord.Intents.none()) as client:
        await client.login(TOKEN)
        expect(client.user.bot, "the token's user is a bot")
        application = await client.application_info()
        expect(application.flags.gateway_message_content_limited, "message content is switched on")

        channel = await client.fetch_channel(readable[0])
        expect(channel.id == readable[0] and channel.name, "the channel is found")
        guild = await client.fetch_guild(channel.guild.id)
        expect(channel.id in [c.id for c in await guild.fetch_channels()], "the server lists the channel")

        limited = control("/simulator/stats")["limited"]
        control("/simulator/faults", {"mode": "429", "requests": 2, "retry_after": 0.3})
        messages = [message async for message in channel.history(limit=None, oldest_first=True)]
        expect_whole_history(
            channel.id,
            [message.id for message in messages],
            [message.id for message in messages if message.type.value in INGESTIBLE],
        )
        expect(control("/simulator/stats")["limited"] >= limited + 2, "429 was met and retried")
        newest = [message.id async for message in channel.history(limit=7)]
        expect(newest == [message.id for message in messages[:-8:-1]], "the newest come first")
        around = [message.id async for message in channel.history(limit=11, around=messages[50])]
        expect(sorted(around) == [m.id for m in messages[45:56]], "around gives five on each side")
        one = await channel.fetch_message(messages[3].id)
        expect(one.content == messages[3].content, "a single message is the same")

        expect(any(m.edited_at for m in messages), "edits show")
        expect(any(m.embeds for m in messages), "embeds show")
        expect(any(m.reference and m.reference.resolved for m in messages), "replies carry what they answer")

        await expect_failure(
            discord.NotFound, 10003, client.fetch_channel(UNKNOWN_CHANNEL), "an unknown channel is not found")
        await expect_failure(
            discord.NotFound, 10008, channel.fetch_message(UNKNOWN_CHANNEL), "an unknown message is not found")
        await expect_failure(
            discord.Forbidden, 50001, client.fetch_channel(denied), "a hidden channel is forbidden")
        await expect_failure(
            discord.HTTPException, 50035, client.http.logs_from(channel.id, 101), "a limit of 101 is refused")

    async with discord.Client(intents=discord.Intents.none()) as stranger:
        try:
            await stranger.login(TOKEN + "x")
            expect(False, "a wrong token is refused")
        except discord.LoginFailure:
            pass
    print(f"discord.py {discord.__version__}: ok, {len(messages)} messages")


asyncio.run(main())
