"""A radio line between two places that really are apart: slow, late, lossy, and cut.

    bad_line.py NEAR FAR RATE DELAY_MS LOSS_PERCENT

The far end is a network namespace of this process's own, which a program enters by `nsenter --net`; the near end is
where it was started. Between them the kernel's own TCP speaks over two TUN devices, and each IP packet passes here:
RATE bytes a second each way, DELAY_MS later, LOSS_PERCENT of them never. Says "ready" once that stands; then for each
line that it reads:

    count           answers with one line of JSON, each way so far: bytes of IP, and of TCP streams those that were
                    sent and those that have come
    cut silent      connections that were open are gone for ever, and nobody hears of it
    cut told        they are gone, and the far end is told so (RST), as a phone ends them when it changes its network

What is counted of a stream is each byte once, however often TCP sent it.
"""

import collections
import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time

# linux/if_tun.h, linux/sched.h
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
TCP, FIN, SYN, RST, ACK = 6, 1, 2, 4, 16

# What waits for its turn on the line, in seconds: more is dropped, as a radio mast does.
QUEUE = 4.0


def tun(name, own, other):
    """A device of the namespace that this process is in now."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    for words in (["addr", "add", own, "peer", other, "dev", name], ["link", "set", name, "up"]):
        subprocess.run(["ip", *words], check=True)
    return device


def apart():
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace of its own")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Segment:
    """What is read of a TCP segment in an IPv4 packet."""

    def __init__(self, packet):
        head = (packet[0] & 15) * 4
        self.source, self.target = packet[12:16], packet[16:20]
        self.ports = packet[head : head + 4]
        self.seq, self.ack, offset, self.flags = struct.unpack("!IIBB", packet[head + 4 : head + 14])
        self.data = len(packet) - head - (offset >> 4) * 4
        # SYN and FIN stand in the order of bytes as one each (RFC 9293, 3.4).
        self.next = self.seq + self.data + bool(self.flags & SYN) + bool(self.flags & FIN)

    def flow(self, far):
        """Which connection, whoever sent this."""
        return self.ports if far else self.ports[2:] + self.ports[:2]

    def refusal(self):
        """The answer of somebody who knows of no such connection (RFC 9293, 3.10.7.1)."""
        segment = self.ports[2:] + self.ports[:2]
        segment += struct.pack("!IIBBHHH", self.ack, self.next & 0xFFFFFFFF, 5 << 4, RST | ACK, 0, 0, 0)
        pseudo = self.target + self.source + struct.pack("!BBH", 0, TCP, len(segment))
        segment = segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, TCP, 0)
        head += self.target + self.source
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + segment


class Line:
    def __init__(self, near, far, rate, delay, loss):
        self.ends, self.rate, self.delay, self.loss = (near, far), rate, delay, loss
        self.dice = random.Random(1)
        self.free = {near: 0.0, far: 0.0}
        self.packets = collections.Counter()
        self.first, self.sent, self.come = {}, collections.Counter(), collections.Counter()
        # The last segment from the far end of each open connection, and how those were cut that are gone.
        self.open, self.gone = {}, {}
        self.arriving, self.number = [], 0

    def take(self, end, packet):
        """A packet that enters the line at this end."""
        if packet[0] >> 4 != 4 or packet[9] != TCP:
            return
        segment, far = Segment(packet), end == self.ends[1]
        self.packets[far] += len(packet)
        flow = segment.flow(far)
        if flow in self.gone:
            if self.gone[flow] == "told" and not segment.flags & RST:
                self.put(end, segment.refusal())
            return
        if far:
            self.open[flow] = segment
        self.first.setdefault((flow, far), segment.next if segment.flags & SYN else segment.seq)
        self.note(self.sent, flow, far, segment)
        now = time.monotonic()
        free = max(self.free[end], now)
        if free - now > QUEUE:
            return
        self.free[end] = free + len(packet) / self.rate
        if self.dice.random() >= self.loss:
            other = self.ends[0] if far else self.ends[1]
            at = self.free[end] + self.delay
            self.number += 1
            heapq.heappush(self.arriving, (at, self.number, flow, other, packet, segment))

    def put(self, end, packet):
        try:
            os.write(end, packet)
        except OSError:
            # As any line: what cannot be taken is lost.
            pass

    def arrive(self):
        """Gives out what has passed the line; the seconds until the next does."""
        while self.arriving and self.arriving[0][0] <= time.monotonic():
            _, _, flow, end, packet, segment = heapq.heappop(self.arriving)
            if flow not in self.gone:
                self.put(end, packet)
                self.note(self.come, flow, end == self.ends[0], segment)
        return max(0.0, self.arriving[0][0] - time.monotonic()) if self.arriving else None

    def cut(self, how):
        for flow, last in self.open.items():
            self.gone[flow] = how
            if how == "told":
                self.put(self.ends[1], last.refusal())
        self.open.clear()

    def note(self, upto, flow, far, segment):
        """How far a stream has come at least."""
        end = (segment.seq + segment.data - self.first[flow, far]) & 0xFFFFFFFF
        if segment.data and end < 1 << 31:
            upto[flow, far] = max(upto[flow, far], end)

    def count(self):
        def way(far):
            of = lambda upto: sum(count for (_, from_far), count in upto.items() if from_far == far)
            return {"ip": self.packets[far], "sent": of(self.sent), "come": of(self.come)}

        return {"up": way(True), "down": way(False)}


def main():
    near, far, rate, delay, loss = sys.argv[1:]
    name = f"jl{os.getpid()}"
    near_end = tun(name, near, far)
    apart()
    far_end = tun(name, far, near)
    line = Line(near_end, far_end, float(rate), float(delay) / 1000, float(loss) / 100)
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([near_end, far_end, sys.stdin], [], [], line.arrive())
        for end in line.ends:
            if end in ready:
                line.take(end, os.read(end, 65536))
        if sys.stdin in ready:
            match sys.stdin.readline().split():
                case ["cut", how]:
                    line.cut(how)
                    print("{}", flush=True)
                case ["count"]:
                    print(json.dumps(line.count()), flush=True)
                case _:
                    return


main()
