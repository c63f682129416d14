package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"ostler/controlplane/access"
)

func TestTicketCheck(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		status     int
		want       access.TicketAnswer
		fails      bool
	}{
		{"good", `{"state":"good"}`, 200, access.TicketGood, false},
		{"unknown", `{"state":"unknown"}`, 200, access.TicketUnknown, false},
		{"closed", `{"state":"closed","more":1}`, 200, access.TicketClosed, false},
		{"a state of its own", `{"state":"maybe"}`, 200, "", true},
		{"nothing", ``, 200, "", true},
		{"HTML", `<html>`, 200, "", true},
		{"an error", `{"state":"good"}`, 503, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = fmt.Fprint(w, tt.body)
			}))
			defer srv.Close()
			got, err := ticketCheck(srv.URL, srv.Client())(t.Context(), "OPS-1")
			if got != tt.want || (err != nil) != tt.fails {
				t.Errorf("got %q, %v; want %q, fails %v", got, err, tt.want, tt.fails)
			}
		})
	}
}

func TestAccessOptions(t *testing.T) {
	for _, tt := range []struct {
		name  string
		set   func(*AccessConfig)
		fails bool
	}{
		{"default", func(*AccessConfig) {}, false},
		{"mode", func(c *AccessConfig) { c.Mode = "force" }, true},
		{"zone", func(c *AccessConfig) { c.Zone = "Mars/Olympus" }, true},
		{"link", func(c *AccessConfig) { c.TicketLink = "https://tickets.example" }, true},
		{"check", func(c *AccessConfig) { c.TicketCheck = "tickets" }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := defaultAccess()
			tt.set(&c)
			o, err := c.options()
			if (err != nil) != tt.fails {
				t.Fatalf("error = %v, want one: %v", err, tt.fails)
			}
			if err == nil && (o.Every != 5*time.Minute || o.Batch != 2*time.Minute || o.Zone == nil) {
				t.Errorf("got %+v", o)
			}
		})
	}
}
