"""The amounts of an order's lines side by side in one whole number, so that one multiplication serves all lines.

Every amount has a lane of its own, with room above it for what arithmetic needs; the highest bit of a lane is never
set between steps. All amounts are minor units and not negative.

>>> lanes = lanes_for([1050, 99])
>>> packed = lanes.packed([1050, 99])
>>> lanes.amounts(lanes.share(1250, lanes.ones * lanes.largest)(packed)), lanes.total(packed)
([919, 87], 1149)
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

WHOLE = 10_000
"""Shares are in hundredths of a per cent of this."""

Step = Callable[[int], int]
"""What a discount leaves of packed amounts."""


class Lanes(Struct, frozen=True):
    """How many lanes, the bits of an amount, of what shares are parts of, and of a lane; ``ones`` has a one in every
    lane.
    """

    count: int
    bits: int
    spare: int
    width: int
    ones: int

    @property
    def largest(self) -> int:
        """The largest amount that a lane holds."""
        return (1 << self.bits) - 1

    def packed(self, amounts: Sequence[int]) -> int:
        """The amounts side by side; what is larger than a lane holds is cut to that."""
        packed = 0
        for amount in reversed(amounts):
            packed = packed << self.width | min(amount, self.largest)
        return packed

    def amounts(self, packed: int) -> list[int]:
        """The amounts by themselves."""
        lane = (1 << self.width) - 1
        return [packed >> self.width * index & lane for index in range(self.count)]

    def total(self, packed: int) -> int:
        """The sum of all lanes: 2^width leaves 1 when divided by 2^width - 1."""
        return packed % ((1 << self.width) - 1)

    def least(self, one: int, other: int) -> int:
        """The smaller amount in every lane."""
        high = self.ones << self.width - 1
        bit = ((one | high) - other) & high
        return one ^ ((one ^ other) & (bit - (bit >> self.width - 1)))

    def share(self, rate: int, meant: int, limits: int | None = None, of: int = WHOLE) -> Step:
        """``rate`` parts of ``of`` off the lanes ``meant`` (all ones there), rounded half up, of each at most its limit.

        ``of`` is even and below 2^spare. Divides by multiplying: ⌊n / d⌋ = ⌊n · m / 2^s⌋ where m = ⌈2^s / d⌉, as long
        as n < 2^(s - spare), since m · d is above 2^s by less than 2^spare; and n is below d · 2^bits.
        """
        shift = self.bits + 2 * self.spare
        times = -(-(1 << shift) // of)
        half = self.ones * (of // 2)
        if limits is None:

            def plain(packed: int) -> int:
                return packed - ((packed * rate + half) * times >> shift & meant)

            return plain
        least = self.least

        def limited(packed: int) -> int:
            return packed - least((packed * rate + half) * times >> shift & meant, limits)

        return limited

    def off(self, amounts: int) -> Step:
        """These amounts off, of each lane at most what is there."""
        least = self.least
        return lambda packed: packed - least(packed, amounts)

    def at_most(self, amounts: int) -> Step:
        """Every lane brought down to these amounts."""
        least = self.least
        return lambda packed: least(packed, amounts)

    def within(self, step: Step, limits: Sequence[tuple[int, int]]) -> Step:
        """The step with what it takes off the lanes of each limit (all ones there) cut to it, from the last one back."""
        total = self.total

        def cut(packed: int) -> int:
            taken = packed - step(packed)
            for meant, limit in limits:
                own = taken & meant
                if total(own) > limit:
                    taken = taken - own + self.cut(own, limit)
            return packed - taken

        return cut

    def cut(self, packed: int, limit: int) -> int:
        """The amounts cut, from the last one back, so that they sum to the limit at most."""
        whole = (1 << self.width * self.count) - 1
        sums, lanes = packed, 1
        while lanes < self.count:
            sums += sums << self.width * lanes & whole
            lanes *= 2
        sums = self.least(sums, self.ones * limit)
        return sums - (sums << self.width & whole)


def lanes_for(amounts: Sequence[int], largest_quantity: int = 1) -> Lanes:
    """Lanes wide enough for shares of these amounts, also of some units of a line, and for the sum of them all."""
    bits = max(1, max(amounts, default=0).bit_length())
    spare = (WHOLE * largest_quantity).bit_length()
    # A product of a share is below 2^(2 · bits + 2 · spare + 1), and so far down does a division leave its rest.
    width = 2 * bits + 2 * spare + 2 + len(amounts).bit_length()
    ones = sum(1 << width * index for index in range(len(amounts)))
    return Lanes(len(amounts), bits, spare, width, ones)
