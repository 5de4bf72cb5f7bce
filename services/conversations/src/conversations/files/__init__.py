"""Files on their way in and out: written, told what they are, pictured, made into what WhatsApp plays.

Every bit of a file comes from outside: what it is called becomes no path, what it says it is decides nothing, and what reads
it (ffmpeg, Pillow) is bounded in time and size; ffmpeg runs in a process of its own, with nothing but that file.
"""

from conversations.files.convert import Converted, NotConvertible, fit
from conversations.files.pictures import thumbnail
from conversations.files.sniff import INLINE, content_disposition, safe_name, sniff
from conversations.files.uploads import Files, TooLarge, UploadBroken

__all__ = [
    "INLINE",
    "Converted",
    "Files",
    "NotConvertible",
    "TooLarge",
    "UploadBroken",
    "content_disposition",
    "fit",
    "safe_name",
    "sniff",
    "thumbnail",
]
