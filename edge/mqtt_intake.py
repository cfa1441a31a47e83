"""The MQTT session of both MQTT drivers: nothing is acknowledged before it is on disk.

paho-mqtt with ``manual_ack``: persistent session, fixed client id, QoS 1, PUBACKs in order after the
outbox commit and only on the connection that delivered (a session object is one connection; a new
connection is a new object, so a stale id cannot be acknowledged). paho runs inside the event loop
(its external-loop interface), so there is no network thread that an exception could end silently;
its callbacks only hand over. Messages that come before SUBACK are taken like any other.

Back-pressure: unacknowledged messages fill the broker's in-flight window, and beyond `PAUSE_MESSAGES` or
`PAUSE_BYTES` not yet handed over, the socket is not read. What a device publishes with QoS 0 a broker may
drop meanwhile: publish with QoS 1. MQTT 3.1.1 cannot limit what a broker sends: set its message size
limit (Mosquitto: ``message_size_limit``).
"""

import asyncio
import contextlib
import os
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from pydantic import Field, model_validator

from edge.deliveries import digest
from edge.intake import Broker, DriverContext, DriverFailed, Intake
from edge.json_payload import Malformed
from edge.mqtt_socket import BufferedClient, BufferedSocket
from language import N_
from links.addresses import is_loopback
from links.secret_files import SecretExposed, read_secret
from readings import Sample
from registry.model import Invalid, Model

PAUSE_MESSAGES: Final = 300
PAUSE_BYTES: Final = 8 * 1024 * 1024
READ_BURST: Final = 200
"""Messages read before the event loop gets its turn."""
CONNECT_LIMIT: Final = 3.0

Decode = Callable[[str, bytes, int], Sequence[Sample]]
"""(topic, payload, now) → samples; raises `Malformed`."""


class MqttSettings(Model):
    """How to reach a broker."""

    broker: str = Field(
        "",
        pattern=r"^(mqtts?://[^/\s]+)?$",
        description="mqtt://host:1883 or mqtts://host:8883; empty: the broker the edge was started with.",
    )
    username: str = Field("", description="User at the broker; empty: anonymous.")
    password_env: str = Field("", description="Name of the environment variable that holds the password.")
    password_file: str = Field("", description="File (mode 600) that holds the password.")
    ca_file: str = Field("", description="Certificate authority for mqtts; empty: the system's.")
    certificate_file: str = Field("", description="Client certificate (PEM) for mqtts.")
    key_file: str = Field("", description="Its private key.")
    client_id: str = Field(
        "", description="Name of the session at the broker; empty: gridwarden-EDGE-CONNECTION."
    )
    clear_text: bool = Field(
        False, description="The broker knows no TLS: let the password go over the network readable."
    )
    keepalive: int = Field(15, ge=5, le=3600, description="Seconds between signs of life.")

    @model_validator(mode="after")
    def _credentials_need_tls(self) -> Self:
        where = urlsplit(self.broker)
        exposed = where.scheme == "mqtt" and not is_loopback(where.hostname or "")
        if exposed and self.username and not self.clear_text:
            raise Invalid(
                N_(
                    "{broker} would carry the password in clear text: use mqtts://, or, where the broker"
                    " knows no TLS, set `clear_text: true`"
                ),
                broker=self.broker,
            )
        return self

    def address(self, default: Broker) -> Broker:
        """The broker to use, its password read; raises `DriverFailed` when that cannot be read."""
        if not self.broker:
            return default
        password = os.environ.get(self.password_env, "") if self.password_env else ""
        if self.password_file:
            try:
                password = read_secret(Path(self.password_file))
            except SecretExposed as error:
                raise DriverFailed(str(error)) from error
            except OSError as error:
                raise DriverFailed(f"{self.password_file}: {error.strerror}") from error
        return Broker(self.broker, self.username, password)


class MqttSession:
    """One connection to a broker, from CONNECT until it is lost."""

    def __init__(
        self, settings: MqttSettings, context: DriverContext, topics: Sequence[str], decode: Decode
    ) -> None:
        self._settings = settings
        self._context = context
        self._topics = sorted(topics)
        self._decode = decode
        self._loop = asyncio.get_running_loop()
        self._arrived: list[paho.MQTTMessage] = []
        self._arrived_bytes = 0
        self._news = asyncio.Event()
        self._lost = ""
        self._subscribed = False
        """The broker has just confirmed the subscriptions: the connection works."""
        self._unacknowledged: deque[list[int]] = deque()
        """[message id, 1 when it may be acknowledged], as delivered."""
        self._socket: BufferedSocket | None = None
        self._reading = False
        self._timer: asyncio.TimerHandle | None = None
        self._client_id = settings.client_id or f"gridwarden-{context.edge}-{context.connection}"
        self._client = BufferedClient(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            clean_session=False,
            protocol=paho.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect

    async def intakes(self) -> AsyncGenerator[Sequence[Intake], None]:
        """What arrives, one intake per message; raises `DriverFailed` when the connection ends."""
        await self._connect()
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                arrived, self._arrived, self._arrived_bytes = self._arrived, [], 0
                if arrived or self._subscribed:
                    self._subscribed = False
                    yield [self._intake(message) for message in arrived]
                if self._lost:
                    raise DriverFailed(self._lost)
                self._read_on()
        finally:
            self._close()

    async def _connect(self) -> None:
        broker = self._settings.address(self._context.broker)
        address = urlsplit(broker.url)
        secure = address.scheme == "mqtts"
        self._client.connect_timeout = CONNECT_LIMIT
        if broker.username:
            self._client.username_pw_set(broker.username, broker.password or None)
        try:
            if secure:
                self._client.tls_set_context(self._tls())
            port = address.port or (8883 if secure else 1883)
            # paho resolves, connects and shakes hands blocking; nothing else touches it meanwhile.
            await asyncio.to_thread(
                self._client.connect, address.hostname or "", port, self._settings.keepalive
            )
        except (OSError, ValueError) as error:
            raise DriverFailed(f"broker {broker.url}: {error}") from error
        self._socket = self._client.wire
        if self._socket is None or self._client.socket() is None:
            raise DriverFailed(f"broker {broker.url}: {self._lost or 'connection closed'}")
        self._client.on_socket_register_write = self._want_write
        self._client.on_socket_unregister_write = self._no_write
        self._read_on()
        self._want_write()
        self._tick()

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._settings.ca_file or None)
        if self._settings.certificate_file:
            context.load_cert_chain(self._settings.certificate_file, self._settings.key_file or None)
        return context

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._client.on_disconnect = None
        if not self._lost:
            self._client.disconnect()
            self._writable()
        self._release_socket()
        self._client.on_socket_register_write = None
        self._client.on_socket_unregister_write = None
        self._lost = self._lost or "closed"
        self._unacknowledged.clear()

    # -- the socket -----------------------------------------------------------------------------------

    def _read_on(self) -> None:
        if not self._reading and self._socket is not None and not self._lost:
            self._reading = True
            self._loop.add_reader(self._socket, self._readable)
            if self._socket.pending():
                self._loop.call_soon(self._readable)

    def _pause(self) -> None:
        if self._reading and self._socket is not None:
            self._reading = False
            self._loop.remove_reader(self._socket)

    def _readable(self) -> None:
        arrived, wire = self._arrived, self._socket
        if not self._reading or wire is None:
            return
        for _ in range(READ_BURST):
            before = len(arrived)
            if self._client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS or self._lost:
                self._fail("connection lost")
                return
            if len(arrived) == before and not wire.pending():
                break
        if len(arrived) >= PAUSE_MESSAGES or self._arrived_bytes >= PAUSE_BYTES:
            self._pause()
        elif wire.pending():
            self._loop.call_soon(self._readable)
        if arrived:
            self._news.set()

    def _want_write(self, *_: object) -> None:
        if self._socket is not None:
            self._loop.add_writer(self._socket, self._writable)

    def _no_write(self, *_: object) -> None:
        if self._socket is not None:
            self._loop.remove_writer(self._socket)

    def _writable(self) -> None:
        wire = self._socket
        if wire is None:
            return
        try:
            written = self._client.loop_write() == MQTTErrorCode.MQTT_ERR_SUCCESS
            flushed = wire.flush()
        except OSError as error:
            self._fail(f"connection lost: {error.strerror}")
            return
        if not written:
            self._fail("connection lost")
        elif flushed and not self._client.want_write():
            self._no_write()
        else:
            self._want_write()

    def _tick(self) -> None:
        """paho sends its signs of life, and misses the broker's, only when it is asked."""
        # While the socket is not read the broker's answer cannot be seen either: not its fault.
        if self._reading and self._client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._fail("the broker answers no more")
            return
        self._timer = self._loop.call_later(1.0, self._tick)

    def _fail(self, reason: str) -> None:
        self._lost = self._lost or reason
        self._release_socket()
        self._news.set()

    def _release_socket(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError, ValueError):  # closed by paho already
                self._loop.remove_writer(self._socket)
                self._loop.remove_reader(self._socket)
            self._socket, self._reading = None, False

    # -- paho's callbacks: they only hand over --------------------------------------------------------

    def _on_connect(self, client: paho.Client, _: object, flags: Any, reason: Any, __: object) -> None:
        if reason.is_failure:
            self._lost = f"the broker refused the connection: {reason}"
            return
        # The broker keeps a session's subscriptions; asking again would only bring every retained
        # message once more.
        noted = self._context.notes.note(self._note).split("\n")
        if flags.session_present and noted == self._topics:
            self._works()
            return
        gone = [topic for topic in noted if topic and topic not in self._topics]
        if flags.session_present and gone:
            client.unsubscribe(gone)
        client.subscribe([(topic, 1) for topic in self._topics])

    def _on_subscribe(self, _: paho.Client, __: object, ___: int, reasons: Any, ____: object) -> None:
        refused = [topic for topic, reason in zip(self._topics, reasons, strict=False) if reason.is_failure]
        if refused:
            self._lost = f"the broker refused the subscription to {', '.join(refused)}"
        else:
            self._context.notes.write_note(self._note, "\n".join(self._topics))
            self._works()

    def _works(self) -> None:
        self._subscribed = True
        self._news.set()

    def _on_message(self, _: paho.Client, __: object, message: paho.MQTTMessage) -> None:
        self._arrived.append(message)
        self._arrived_bytes += len(message.payload)

    def _on_disconnect(self, _: paho.Client, __: object, ___: object, reason: Any, ____: object) -> None:
        self._lost = self._lost or f"the broker ended the connection: {reason}"
        self._release_socket()
        self._news.set()

    @property
    def _note(self) -> str:
        return f"subscribed:{self._context.connection}:{self._client_id}"

    # -- messages -------------------------------------------------------------------------------------

    def _intake(self, message: paho.MQTTMessage) -> Intake:
        context, keys, payload = self._context, self._context.deliveries, bytes(message.payload)
        context.counters.messages += 1
        ack = None
        if message.qos:
            entry = [message.mid, 0]
            self._unacknowledged.append(entry)
            ack = partial(self._acknowledge, entry)
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        content = digest(topic.encode(), payload)
        if message.qos and message.dup and keys.knows(message.mid, content):
            context.counters.redelivered += 1
            return Intake((), ack)
        delivery = None
        if message.qos:
            keys.remember(message.mid, content)
            delivery = (message.mid, content)
        if not keys.is_news(topic, content, retained=message.retain):
            return Intake((), ack, delivery)
        return Intake(self._samples(topic, payload), ack, delivery)

    def _samples(self, topic: str, payload: bytes) -> Sequence[Sample]:
        now = self._context.clock()
        nobody = f"{self._context.connection}/?"
        if not topic:
            return self._context.letters.letter(nobody, "the topic is not UTF-8", payload, now)
        try:
            return self._decode(topic, payload, now)
        except Malformed as error:
            return self._context.letters.letter(error.source or nobody, f"{topic}: {error}", payload, now)
        except Exception as error:  # noqa: BLE001 - a message that breaks its decoder would come again for ever
            reason = f"{topic}: {type(error).__name__}: {error}"
            return self._context.letters.letter(nobody, reason, payload, now)

    def _acknowledge(self, entry: list[int]) -> None:
        """PUBACK in the order of delivery (MQTT 3.1.1, 4.6): up to the first that is not committed."""
        entry[1] = 1
        if self._lost:
            return
        waiting = self._unacknowledged
        while waiting and waiting[0][1]:
            self._client.ack(waiting.popleft()[0], 1)
