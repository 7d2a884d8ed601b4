"""Learning-rate schedules: which one a logged rate follows, and how it will go on. Pure."""

from app.schedules.recognise import recognise
from app.schedules.schedule import RateDrop, Schedule

__all__ = ["RateDrop", "Schedule", "recognise"]
