"""The services' time, which runs as fast as that of the Fennec they are tested with."""
import time


class Clock:
    """Real time times `speed`, from the moment it was made; both sides count from the same one."""

    def __init__(self, speed=1):
        self.speed, self.since_s, self.since = speed, int(time.time()), time.monotonic() - time.time() % 1

    @property
    def environment(self):
        """What makes a Fennec's time the same, over several lives."""
        return {"FENNEC_CLOCK_SPEED": f"{self.speed}@{self.since_s}"} if self.speed > 1 else {}

    def passed_s(self):
        return (time.monotonic() - self.since) * self.speed

    def wall_s(self):
        return self.since_s + self.passed_s()

    def real_s(self, seconds):
        """How long `seconds` of this clock really last."""
        return seconds / self.speed
