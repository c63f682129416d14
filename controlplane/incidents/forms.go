package incidents

import (
	"context"
	"strings"

	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/policy"
)

// The forms that are filled in.
const (
	FormICO  = "ico"
	FormEDPB = "edpb"
)

// ask is one question of a form.
type ask struct {
	key, question string
	required      bool
	answer        func(f folder) string
	// fact is the key of the fact of Article 33(3) whose owner owes the answer;
	// "" is the case's lead.
	fact string
	// own is the key of the fact of the case that answers it; whoever was named to
	// find it out owes the answer.
	own string
	// hint is what to do where nothing in the case can answer it.
	hint string
}

// inFacts is the hint for what stands with the facts of a case.
const inFacts = "Write it into the case, with what authorities ask."

var commonAsks = []ask{
	{key: "organisation", question: "Who are you?", required: true, answer: func(f folder) string { return f.company.Name }, hint: "Write it into the company’s profile."},
	{key: "contact", question: "Who can be asked: data protection officer, or another contact?", required: true, answer: folder.contact, hint: "Write it into the company’s profile."},
	{key: "phase", question: "Is this a first report, or does it follow an earlier one?", required: true, answer: folder.phase},
	{key: "reference", question: "Your own reference", answer: func(f folder) string { return "Case " + f.c.Number }},
	{key: "nature", question: "What happened?", required: true, answer: folder.nature, fact: "nature"},
	{key: "kinds", question: "What happened to the data: destroyed, lost, altered, disclosed, accessed?", required: true, answer: func(f folder) string { return strings.ReplaceAll(joined(f.c.Kinds), ",", ", ") }, hint: "Choose it in the case."},
	{key: "occurred", question: "When did it happen, and is it over?", required: true, answer: folder.period, hint: "Write it into the case, as far as it is known."},
	{key: "discovered", question: "When was it discovered, and how?", required: true, answer: folder.discovered, hint: "Write it into the case."},
	{key: "discovered_by", question: "Who discovered it, and how?", required: true, answer: own("discovered"), own: "discovered"},
	{key: "aware", question: "When did you become aware of it?", required: true, answer: folder.awareWords, hint: "Say in the case since when you are certain."},
	{key: "categories", question: "Whose data is it?", required: true, answer: func(f folder) string { return f.fact("categories") }, fact: "categories"},
	{key: "people", question: "About how many people?", required: true, answer: func(f folder) string { return f.fact("people") }, fact: "people"},
	{key: "record_categories", question: "Which kinds of data?", required: true, answer: func(f folder) string { return f.fact("record_categories") }, fact: "record_categories"},
	{key: "records", question: "About how many records?", required: true, answer: func(f folder) string { return f.fact("records") }, fact: "records"},
	{key: "consequences", question: "What may follow from it for the people?", required: true, answer: func(f folder) string { return f.fact("consequences") }, fact: "consequences"},
	{key: "risk", question: "How likely is harm, and how severe?", required: true, answer: folder.risk, hint: "Assess the risk in the case."},
	{key: "measures", question: "What was done, and what will be done?", required: true, answer: folder.measures, fact: "measures"},
	{key: "people_told", question: "Were the people told? When, and how? If not, why?", required: true, answer: folder.peopleTold, hint: "Decide in the case whether they are told."},
	{key: "processor", question: "Is a processor involved?", required: true, answer: folder.processor},
	{key: "processors", question: "Which other processors are involved, and in what?", required: true, answer: own("processors"), own: "processors"},
	{key: "delay", question: "If it is later than 72 hours after you became aware: why?", answer: folder.why72, fact: "delay"},
}

var icoAsks = append(append([]ask{}, commonAsks...),
	ask{key: "special_categories", question: "Are special categories of data among it, or data about criminal offences?", required: true, answer: own("special_categories"), own: "special_categories"},
	ask{key: "encrypted", question: "Was the data encrypted?", required: true, answer: folder.encrypted, own: "encrypted"},
	ask{key: "training", question: "Had the staff involved been trained in data protection within the last two years?", required: true, answer: own("training"), own: "training", hint: "See their papers on the access lists."},
	ask{key: "prevention", question: "What was in place that should have prevented it?", answer: own("prevention"), own: "prevention"},
	ask{key: "police", question: "Were the police told?", required: true, answer: own("police"), own: "police"},
	ask{key: "regulators", question: "Were other regulators told?", required: true, answer: folder.regulators, own: "regulators"},
	ask{key: "overseas", question: "Were authorities abroad told?", required: true, answer: own("overseas"), own: "overseas"},
)

var edpbAsks = append(append([]ask{}, commonAsks...),
	ask{key: "authority", question: "To which authority, and is it the lead one?", required: true, answer: folder.authority, hint: "Write it into the company’s profile; without an establishment in the Union, write into the case in which countries the people live."},
	ask{key: "cross_border", question: "Are people in other member states affected?", required: true, answer: folder.crossBorder, hint: "Write into the case in which countries the people live."},
	ask{key: "special_categories", question: "Are special categories of data among it (Article 9), or data about criminal offences (Article 10)?", required: true, answer: own("special_categories"), own: "special_categories"},
	ask{key: "encrypted", question: "Was the data encrypted?", answer: folder.encrypted, own: "encrypted"},
	ask{key: "exemption", question: "If the people are not told: which exemption of Article 34(3)?", answer: folder.exemption},
	ask{key: "other_duties", question: "Which other authorities are told (NIS2, others)?", answer: folder.regulators, own: "regulators"},
	ask{key: "police", question: "Were the police told?", answer: own("police"), own: "police"},
	ask{key: "overseas", question: "Were authorities outside of the Union told?", answer: own("overseas"), own: "overseas"},
)

// own answers with a fact of the case.
func own(key string) func(folder) string { return func(f folder) string { return f.own(key) } }

// own is a fact of the case in words; "" where it is not known.
func (f folder) own(key string) string { return sentence(factOf(f.c.Facts, key).Value) }

// AuthorityForm fills in what an authority's form asks for: "ico" or "edpb".
// Permission: incident.read, of staff.
func (s *Service) AuthorityForm(ctx context.Context, scope policy.Scope, id, authority string) (Form, error) {
	out, asks := Form{Authority: authority}, icoAsks
	switch authority {
	case FormICO:
		out.Title = "What the form of the UK’s Information Commissioner asks"
	case FormEDPB:
		out.Title, asks = "What European authorities ask (EDPB Guidelines 9/2022)", edpbAsks
	default:
		return Form{}, invalid("/authority", "Choose ico or edpb.")
	}
	f, err := s.folderIn(ctx, scope, id)
	if err != nil {
		return Form{}, wrap("authority form", err)
	}
	for _, q := range asks {
		x := FormField{Key: q.key, Question: q.question, Answer: strings.TrimSpace(q.answer(f)), Required: q.required}
		if x.Answer == "" {
			x.Missing = f.owes(q)
			out.Missing += int(flag(q.required))
		}
		out.Fields = append(out.Fields, x)
	}
	out.Sentence = "These are the answers of case " + f.c.Number + " as it stands, to be copied into the authority’s own form. Nothing is handed in from here: write down when you have done so."
	if f.c.Drill {
		out.Sentence = "This is a drill: nothing of it goes to an authority. " + out.Sentence
	}
	return out, nil
}

// folderIn reads a case and what papers about it are made of.
func (s *Service) folderIn(ctx context.Context, scope policy.Scope, id string) (folder, error) {
	var c Case
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) { c, err = s.caseIn(tx, scope, id); return err })
	if err != nil {
		return folder{}, err
	}
	return s.folderOf(ctx, scope, c)
}

// owes is why a question has no answer, and who owes it.
func (f folder) owes(q ask) string {
	x, ok := Field{}, false
	if q.fact != "" {
		x, ok = f.field(q.fact)
	} else if q.own != "" {
		x, ok = factOf(f.c.Facts, q.own), true
	}
	switch {
	case ok && x.Known == IsUnknown:
		text := "Not known yet: " + f.who(x.Owner) + " finds it out"
		if !x.By.IsZero() {
			text += " by " + f.at(x.By)
		}
		return text + "."
	case q.own != "":
		return strings.Join(strings.Fields(notKnown+" "+q.hint+" "+inFacts+" "+f.leadOwes()), " ")
	case q.fact != "":
		return notKnown + " Nobody has written it. " + f.leadOwes()
	}
	return strings.Join(strings.Fields(notKnown+" "+q.hint+" "+f.leadOwes()), " ")
}

func (f folder) leadOwes() string {
	if f.c.Lead == "" {
		return "Nobody leads the case."
	}
	return f.who(f.c.Lead) + " leads the case, and owes it."
}

func (f folder) contact() string {
	var parts []string
	for _, p := range []string{f.company.Contact, f.company.ContactEmail, f.company.ContactPhone} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return or(f.fact("contact"), strings.Join(parts, ", "))
}

func (f folder) phase() string {
	for _, n := range f.sent() {
		if n.Audience == ToAuthority {
			return "It follows the report of " + f.at(later(n.SentAt, n.ToldAt)) + "."
		}
	}
	return "It is the first report."
}

func (f folder) nature() string {
	return or(f.fact("nature"), strings.TrimSpace(sentence(f.c.Title)+" "+sentence(f.c.Summary)))
}

func (f folder) period() string {
	if f.c.OccurredFrom.IsZero() {
		return ""
	}
	if f.c.ContainedAt.IsZero() {
		return "From " + f.at(f.c.OccurredFrom) + ". It is not contained yet."
	}
	return "From " + f.at(f.c.OccurredFrom) + " until " + f.at(f.c.ContainedAt) + "."
}

func (f folder) discovered() string {
	if f.c.DetectedAt.IsZero() {
		return ""
	}
	text := "On " + f.at(f.c.DetectedAt) + "."
	for _, a := range f.c.Awareness {
		return text + " " + sentence(a.Ground)
	}
	return text
}

func (f folder) awareWords() string {
	a, ok := f.aware()
	if !ok {
		return ""
	}
	return f.at(a.At) + ": " + sentence(a.Ground)
}

func (f folder) risk() string {
	d, ok := stands(f.c.Decisions)
	if !ok {
		return ""
	}
	text := "Likelihood " + string(d.Likelihood) + ", severity " + string(d.Severity) + ": the risk is " + string(d.Risk) + ". " + sentence(d.Reasons)
	return strings.TrimSpace(text + prefixed(" To be looked at again: ", d.Again))
}

func (f folder) measures() string {
	parts := []string{sentence(f.fact("measures"))}
	for _, a := range f.c.Actions {
		if !a.Failed && !a.Open {
			parts = append(parts, actionWords(a))
		}
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

func (f folder) peopleTold() string {
	for _, n := range f.sent() {
		if n.Audience == ToPeople {
			return "Yes, on " + f.at(later(n.SentAt, n.ToldAt)) + "."
		}
	}
	d, ok := stands(f.c.Decisions)
	switch {
	case !ok:
		return ""
	case d.People:
		return "They are to be told, and were not told yet."
	}
	return strings.TrimSpace("No. " + f.exemption() + " " + sentence(d.Reasons))
}

var exemptionWords = map[Exemption]string{Unintelligible: "Whoever has the data cannot read it (Article 34(3)(a)).", LaterMeasures: "What was done since makes a high risk unlikely (Article 34(3)(b)).",
	Effort: "To tell each of them would be out of proportion: it is made public instead (Article 34(3)(c))."}

func (f folder) exemption() string {
	d, _ := stands(f.c.Decisions)
	return exemptionWords[d.Exemption]
}

func (f folder) encrypted() string {
	if d, _ := stands(f.c.Decisions); d.Exemption == Unintelligible {
		return strings.TrimSpace("Yes, and whoever has it does not have the key. " + sentence(d.Reasons) + " " + f.own("encrypted"))
	}
	return f.own("encrypted")
}

func (f folder) processor() string {
	n := len(concerned(f.c))
	switch {
	case f.c.OurData == law.Yes && n > 0:
		return "We are controller of the data of our own that is touched, and processor for " + count(n, "customer") + "."
	case f.c.OurData == law.Yes:
		return "We are controller of the data that is touched."
	}
	return "We are processor, for " + count(n, "customer") + ": they are the controllers, or processors of others."
}

// why72 is why it is late; where it is not, that it is not.
func (f folder) why72() string {
	for _, c := range f.clocks {
		if c.Customer == "" && (c.Rule == "gdpr-33-1" || c.Rule == "uk-gdpr-33-1" || c.Rule == "uk-gdpr") && (c.State == Running || c.State == Met) {
			return "It is not later."
		}
	}
	return f.delay()
}

// regulators are the CSIRT, as it was told, and what the case says of others.
func (f folder) regulators() string {
	var parts []string
	if x := f.own("regulators"); x != "" {
		parts = append(parts, x)
	}
	for _, n := range f.sent() {
		if n.Audience == ToCSIRT {
			parts = append(parts, or(f.company.CSIRT, "The CSIRT")+" was told on "+f.at(later(n.SentAt, n.ToldAt))+".")
		}
	}
	return strings.Join(parts, " ")
}

func (f folder) authority() string {
	if len(f.company.Authorities) == 0 {
		if countries, _ := everyAuthority(f.company, f.c.PeopleIn); len(countries) == 0 {
			return ""
		}
		return f.everyAuthority()
	}
	lead := " It is the lead one: our main establishment is there."
	switch {
	case f.company.Jurisdiction == "EU":
	case f.company.Establishment:
		lead = " Our main establishment is outside of the Union: which of them is competent goes by the establishment that is concerned."
	default:
		lead = " " + f.everyAuthority()
	}
	return sentence(strings.Join(f.company.Authorities, ", ")) + lead
}
