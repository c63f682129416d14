package law

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/at"
	"github.com/rickar/cal/v2/be"
	"github.com/rickar/cal/v2/ch"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/es"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/ie"
	"github.com/rickar/cal/v2/it"
	"github.com/rickar/cal/v2/nl"
	"github.com/rickar/cal/v2/pl"
)

// calendars are the public holidays of a country, ISO 3166-1. Those that only a
// part of a country has are not among them: a deadline that is a day early
// harms nobody.
var calendars = map[string][]*cal.Holiday{"AT": at.Holidays, "BE": be.Holidays, "CH": ch.Holidays, "DE": de.Holidays, "ES": es.Holidays, "FR": fr.Holidays,
	"GB": gb.Holidays, "IE": ie.Holidays, "IT": it.Holidays, "NL": nl.Holidays, "PL": pl.Holidays}

// Countries are those whose holidays are known, sorted.
func Countries() []string { return slices.Sorted(maps.Keys(calendars)) }

type country struct{ c *cal.Calendar }

// HolidaysOf returns a country's public holidays.
//
// Errors: a country whose holidays are not known.
func HolidaysOf(code string) (Holidays, error) {
	list, ok := calendars[code]
	if !ok {
		return nil, fmt.Errorf("law: the holidays of %q are not known", code)
	}
	c := &cal.Calendar{}
	c.AddHoliday(list...)
	return country{c}, nil
}

// IsHoliday implements Holidays.
func (c country) IsHoliday(day time.Time) bool {
	actual, observed, _ := c.c.IsHoliday(day)
	return actual || observed
}
