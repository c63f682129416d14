package dnstest

import (
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// serve answers one message.
func (s *Server) serve(w dns.ResponseWriter, in *dns.Msg) {
	out := new(dns.Msg).SetReply(in)
	if in.Opcode == dns.OpcodeUpdate {
		out.Rcode = s.update(w, in)
		if t := in.IsTsig(); t != nil && w.TsigStatus() == nil {
			out.SetTsig(t.Hdr.Name, t.Algorithm, 300, time.Now().Unix())
		}
		_ = w.WriteMsg(out)
		return
	}
	if len(in.Question) != 1 {
		out.Rcode = dns.RcodeFormatError
		_ = w.WriteMsg(out)
		return
	}
	if s.answer(out, in) {
		size := dns.MinMsgSize
		if e := in.IsEdns0(); e != nil {
			size = int(e.UDPSize())
		}
		if w.RemoteAddr().Network() == "udp" {
			out.Truncate(size)
		}
		_ = w.WriteMsg(out)
	}
}

// answer fills out; false is silence.
func (s *Server) answer(out, in *dns.Msg) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := in.Question[0]
	name := lower(q.Name)
	s.asked[question{name, q.Qtype}]++
	out.Authoritative, out.RecursionAvailable = true, true
	for hop := 0; ; hop++ {
		for _, f := range []question{{name, q.Qtype}, {name, 0}} {
			if code, ok := s.fails[f]; ok && (code != bogus || !in.CheckingDisabled) {
				if out.Rcode = max(code, 0); code == bogus {
					out.Rcode = dns.RcodeServerFailure
				}
				out.Answer = nil
				return code != silent
			}
		}
		next := ""
		for _, rr := range s.rrs {
			if lower(rr.Header().Name) != name {
				continue
			}
			if rr.Header().Rrtype == q.Qtype {
				out.Answer = append(out.Answer, dns.Copy(rr))
			} else if c, ok := rr.(*dns.CNAME); ok {
				out.Answer = append(out.Answer, dns.Copy(rr))
				next = lower(c.Target)
			}
		}
		if next == "" || !in.RecursionDesired {
			break
		}
		if hop > 8 { // as resolvers do with a circle
			out.Rcode, out.Answer = dns.RcodeServerFailure, nil
			return true
		}
		name = next
	}
	if !s.exists(name) {
		out.Rcode = dns.RcodeNameError
	}
	if len(out.Answer) == 0 || out.Rcode != dns.RcodeSuccess {
		if soa := s.apex(name); soa != nil {
			out.Ns = append(out.Ns, dns.Copy(soa))
		}
	}
	return true
}

// exists reports whether a name or one below it has a record.
func (s *Server) exists(name string) bool {
	return slices.ContainsFunc(s.rrs, func(rr dns.RR) bool {
		n := lower(rr.Header().Name)
		return n == name || strings.HasSuffix(n, "."+name)
	})
}

// apex is the SOA record of the zone that a name is in, nil where there is none.
func (s *Server) apex(name string) dns.RR {
	var best dns.RR
	for _, rr := range s.rrs {
		n := lower(rr.Header().Name)
		if rr.Header().Rrtype == dns.TypeSOA && (n == name || strings.HasSuffix(name, "."+n)) &&
			(best == nil || len(n) > len(best.Header().Name)) {
			best = rr
		}
	}
	return best
}

// insert adds a record that is not there yet.
func (s *Server) insert(rr dns.RR) {
	if !slices.ContainsFunc(s.rrs, func(o dns.RR) bool { return dns.IsDuplicate(o, rr) }) {
		s.rrs = append(s.rrs, rr)
	}
}

// update carries out an update (RFC 2136, 3.4) of a zone of this server.
func (s *Server) update(w dns.ResponseWriter, in *dns.Msg) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.keys) > 0 && (in.IsTsig() == nil || w.TsigStatus() != nil) {
		return dns.RcodeNotAuth
	}
	if len(in.Question) != 1 {
		return dns.RcodeFormatError
	}
	zone := lower(in.Question[0].Name)
	if soa := s.apex(zone); soa == nil || lower(soa.Header().Name) != zone {
		return dns.RcodeNotAuth
	}
	for _, rr := range in.Ns {
		if n := lower(rr.Header().Name); n != zone && !strings.HasSuffix(n, "."+zone) {
			return dns.RcodeNotZone
		}
	}
	for _, rr := range in.Ns {
		h := rr.Header()
		switch h.Class {
		case dns.ClassINET:
			s.insert(rr)
		case dns.ClassNONE, dns.ClassANY:
			s.rrs = slices.DeleteFunc(s.rrs, func(o dns.RR) bool {
				if lower(o.Header().Name) != lower(h.Name) || (h.Rrtype != dns.TypeANY && o.Header().Rrtype != h.Rrtype) {
					return false
				}
				if h.Class == dns.ClassANY {
					return true
				}
				same := dns.Copy(rr)
				same.Header().Class = dns.ClassINET
				return dns.IsDuplicate(o, same)
			})
		}
	}
	s.updates++
	return dns.RcodeSuccess
}
