package incidents

import (
	"slices"

	"ostler/controlplane/incidents/law"
)

// widen has a case be what two were.
func widen(row *caseRow, d *caseData, from caseRow, was caseData, now int64) {
	if from.ours() == law.Yes {
		said := d.OursSaidAt
		if row.ours() != law.Yes {
			said = now // what was decided here was not about our data
		}
		d.oursFrom(max(was.OurDataAt, ourDataAlways), said)
	}
	row.OurData, row.ChannelUnsafe = oursColumn(surer(row.ours(), from.ours())), max(row.ChannelUnsafe, from.ChannelUnsafe)
	row.DetectedAt = min(row.DetectedAt, from.DetectedAt)
	if row.OccurredFrom == 0 || from.OccurredFrom > 0 && from.OccurredFrom < row.OccurredFrom {
		row.OccurredFrom = from.OccurredFrom
	}
	row.Kinds = joined(distinct(append(parted[Kind](row.Kinds), parted[Kind](from.Kinds)...)))
	if d.Impact != nil || was.Impact != nil {
		worst := worstOf(impactOf(*d), impactOf(was))
		d.Impact = &worst
	}
	if was.SignificantAt > 0 {
		d.SignificantAt = now // what was decided here was not about theirs
	}
	d.widenFacts(was)
	d.PeopleIn = slices.Sorted(slices.Values(distinct(append(d.PeopleIn, was.PeopleIn...))))
	row.ContainedAt, d.ContainedHow = bothDone(row.ContainedAt, from.ContainedAt, d.ContainedHow, was.ContainedHow)
	row.HandledAt, d.HandledHow = bothDone(row.HandledAt, from.HandledAt, d.HandledHow, was.HandledHow)
}

// bothDone is since when two are done, and how: not before both are.
func bothDone(a, b int64, howA, howB string) (int64, string) {
	switch {
	case a == 0 || b == 0:
		return 0, ""
	case b > a:
		return b, howB
	}
	return a, howA
}

// worstOf is an impact as bad as two: what one does not know, the other's nought
// does not answer.
func worstOf(a, b law.Impact) law.Impact {
	return law.Impact{OutageMinutes: worse(a.OutageMinutes, b.OutageMinutes), LimitedMinutes: worse(a.LimitedMinutes, b.LimitedMinutes), LimitedPercent: worse(a.LimitedPercent, b.LimitedPercent),
		LimitedUsers: worse(a.LimitedUsers, b.LimitedUsers), Malicious: surer(a.Malicious, b.Malicious), CompromisedPct: worse(a.CompromisedPct, b.CompromisedPct),
		CompromisedUser: worse(a.CompromisedUser, b.CompromisedUser), PhysicalAccess: surer(a.PhysicalAccess, b.PhysicalAccess), LossEUR: worse(a.LossEUR, b.LossEUR),
		LossPercent: worse(a.LossPercent, b.LossPercent), TradeSecrets: surer(a.TradeSecrets, b.TradeSecrets), Harm: surer(a.Harm, b.Harm), Intrusion: surer(a.Intrusion, b.Intrusion), Recurring: surer(a.Recurring, b.Recurring), Scheduled: a.Scheduled && b.Scheduled}
}

// worse is the greater figure; negative is not known.
func worse[T int | int64 | float64](a, b T) T {
	if most := max(a, b); most > 0 || min(a, b) == 0 {
		return most
	}
	return -1
}

func surer(a, b law.Answer) law.Answer {
	switch {
	case a == law.Yes || b == law.Yes:
		return law.Yes
	case a == law.No && b == law.No:
		return law.No
	}
	return law.Unknown
}

// oursFrom has our own data be touched since an instant, never later than it was
// said before; said is when somebody said so. Both are Unix milliseconds.
func (d *caseData) oursFrom(at, said int64) {
	if d.OurDataAt == 0 || at < d.OurDataAt {
		d.OurDataAt = at
	}
	d.OursSaidAt = said
}
