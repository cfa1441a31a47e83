"""A link passes everything on, until it is told to break."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from chaos.proxy import Link


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    """A link to a server that says everything back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    link = Link("test", server.sockets[0].getsockname()[1])
    await link.open()
    yield link
    await link.close()
    server.close()


async def say(link: Link, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    writer.write(data)
    return reader, writer


async def test_a_megabyte_comes_back_unchanged_and_so_does_the_end(link):
    data = random.Random(1).randbytes(1_000_000)
    reader, writer = await say(link, data)
    writer.write_eof()
    assert await reader.read(-1) == data
    assert link.traffic.bytes_in == link.traffic.bytes_out == len(data)


async def test_a_silent_link_passes_nothing_and_ends_nothing_until_it_is_mended(link):
    reader, _ = await say(link, b"before")
    assert await reader.readexactly(6) == b"before"
    link.silence()
    reader_2, writer_2 = await say(link, b"during")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await reader_2.read(1)
    await link.mend()
    assert await reader_2.readexactly(6) == b"during"
    writer_2.close()


async def test_a_cut_resets_what_is_there_and_refuses_what_comes(link):
    reader, _ = await say(link, b"x")
    await reader.readexactly(1)
    await link.cut()
    with pytest.raises(ConnectionResetError):
        await reader.read(1)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", link.port)
    await link.mend()
    reader, _ = await say(link, b"again")
    assert await reader.readexactly(5) == b"again"


async def test_a_forgotten_connection_stays_dead_beside_new_ones(link):
    old, writer = await say(link, b"x")
    await old.readexactly(1)
    link.forget()
    writer.write(b"lost")
    new, _ = await say(link, b"new")
    assert await new.readexactly(3) == b"new"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await old.read(1)


async def test_bits_are_turned_over_by_the_seed(link):
    link.spoil, link.chance = 1.0, random.Random(7)
    reader, _ = await say(link, bytes(100))
    came = await reader.readexactly(100)
    assert sum(byte.bit_count() for byte in came) == link.traffic.spoilt
    assert link.traffic.spoilt > 0
