package main

import (
	"context"
	"net/url"

	"github.com/spf13/cobra"
)

// incidentFind finds by a number, a reference or words.
func (c *client) incidentFind() *cobra.Command {
	type found struct {
		Incidents []incidentView       `json:"incidents"`
		Notices   []incidentNoticeView `json:"notices"`
		Reports   []struct {
			ID         string `json:"id"`
			Source     string `json:"source"`
			Text       string `json:"text"`
			ReceivedAt string `json:"received_at"`
		} `json:"reports"`
		More  bool `json:"more"`
		Older bool `json:"older_not_searched"`
	}
	return c.verb("find WORDS", "Find incidents, notices and reports by a number, a reference, or words of a title or text", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/incident-search", url.Values{"q": {args[0]}}, func(v found) error {
			var rows [][]cell
			for _, x := range v.Incidents {
				rows = append(rows, []cell{text("incident"), text(x.Number + ": " + firstLine(x.Title)), state(x.State), text(x.ID)})
			}
			for _, x := range v.Notices {
				rows = append(rows, []cell{text("notice"), text(firstLine(x.Title)), state(x.State), text(x.ID)})
			}
			for _, x := range v.Reports {
				rows = append(rows, []cell{text("report"), text(firstLine(x.Text)), text(when(x.ReceivedAt)), text(x.ID)})
			}
			if len(rows) == 0 {
				c.say("Nothing was found.")
			} else if err := c.table([]string{"WHAT", "TITLE", "STATE", "ID"}, rows); err != nil {
				return err
			}
			if v.More {
				c.say("There are more than are listed. More words narrow them.")
			}
			if v.Older {
				c.say("Only the newest 2,000 incidents and notices were looked through. A whole reference is found however old it is.")
			}
			return nil
		})
	})
}
