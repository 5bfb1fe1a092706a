"""Result files: small real media, and some that are none."""
import pathlib
import struct
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def png(width=8, height=8):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x40\x80\xc0" * width for _ in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def wav(samples=800):
    data = b"\0\0" * samples
    return (b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " +
            struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16) + b"data" + struct.pack("<I", len(data)) + data)


def lasting(film, seconds):
    """The film says of itself that it lasts so long."""
    header = film.index(b"mvhd") + 4  # version and flags, two times, the scale, the length
    scale = struct.unpack_from(">I", film, header + 12)[0]
    return film[:header + 16] + struct.pack(">I", round(seconds * scale)) + film[header + 20:]


MP4 = (ROOT / "assets" / "sample.mp4").read_bytes()
BY_NAME = {
    "mp4": ("video/mp4", MP4),
    "mp4-of-5.04-seconds": ("video/mp4", lasting(MP4, 5.04)),
    "mp4-of-12.5-seconds": ("video/mp4", lasting(MP4, 12.5)),
    "mp4-of-no-length": ("video/mp4", lasting(MP4, 0)),
    "mp4-as-text": ("text/plain", MP4),
    "png": ("image/png", png()),
    "wav": ("audio/wav", wav()),
    "html-as-mp4": ("video/mp4", b"<!doctype html><html><body>Please sign in</body></html>"),
    "empty": ("video/mp4", b""),
    # A film that has grown to 8 MiB by a box that players skip.
    "large": ("video/mp4", MP4 + struct.pack(">I", 8 << 20) + b"free" + bytes((8 << 20) - 8)),
}



def own_film(name):
    """A film like no other, since a box that players skip has its name in it."""
    data = name.encode()
    return MP4 + struct.pack(">I", 8 + len(data)) + b"free" + data
