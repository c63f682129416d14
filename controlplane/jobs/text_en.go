package jobs

import "strings"

// reasons are the sentences of Why. Instants among the arguments are RFC 3339:
// who shows them may write them as people say them.
var reasons = map[string]string{
	WhyNotBefore:    "It is planned for {until}.",
	WhyBackoff:      "Attempt {attempt} of {max_attempts} failed ({cause}); it is tried again {until}.",
	WhySilent:       "It waits for the server to come back; it was last heard of {since}.",
	WhyNeverSeen:    "It waits for the server, which has never connected.",
	WhyBusy:         "Another job has been at work on the same since {since}: {title} ({job}).",
	WhyBehind:       "Another job comes before it: {title} ({job}).",
	WhyOther:        "Another job is at work on the same.",
	WhyOffered:      "It was sent to the server {since}; the server has not answered yet.",
	WhyAccepted:     "The server has it and is about to begin.",
	WhyCancelAsked:  "It was asked to stop and has not answered yet.",
	WhyLost:         "The agent came back and does not work at it; we wait a moment for a result.",
	WhyRunningQuiet: "It was running when the server was last heard of, {since}.",
	WhySoon:         "Nothing stands in its way: it starts in a moment.",
}

// Text returns the reason as a sentence. Only "en" is there; any other language
// reads English. show writes an argument for people; nil leaves it as it is.
func (r Reason) Text(lang string, show func(name, value string) string) string {
	s := reasons[r.Key]
	var pairs []string
	for name, value := range r.Args {
		if show != nil {
			value = show(name, value)
		}
		pairs = append(pairs, "{"+name+"}", value)
	}
	return strings.NewReplacer(pairs...).Replace(s)
}
