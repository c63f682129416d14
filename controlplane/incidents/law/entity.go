package law

import "slices"

// EntityType is what an entity is to NIS2 (Article 3 of Directive (EU) 2022/2555).
type EntityType string

// The types of entity.
const (
	Essential   EntityType = "essential"
	Important   EntityType = "important"
	NotInScope  EntityType = "not_in_scope"
	UnknownType EntityType = "unknown"
)

// EntityTypes lists the types of entity.
func EntityTypes() []EntityType { return []EntityType{UnknownType, Essential, Important, NotInScope} }

// Valid reports whether t is a known type.
func (t EntityType) Valid() bool { return slices.Contains(EntityTypes(), t) }

// Size is an enterprise's size by Recommendation 2003/361/EC.
type Size string

// The sizes.
const (
	Micro       Size = "micro"
	Small       Size = "small"
	Medium      Size = "medium" // 50 people or more, or over EUR 10 million
	Large       Size = "large"
	UnknownSize Size = "unknown"
)

// Sizes lists the sizes.
func Sizes() []Size { return []Size{UnknownSize, Micro, Small, Medium, Large} }

// Valid reports whether s is a known size.
func (s Size) Valid() bool { return slices.Contains(Sizes(), s) }

// Entity is what NIS2 makes of the company: recorded, never assumed.
type Entity struct {
	Type     EntityType
	Size     Size
	Services []Service
	// Scope is whether the directive is about us, as it was recorded before the type
	// was asked for: it counts where Type is "".
	Scope Answer
}

// Recorded is an entity as it is recorded: with the type that an answer from before
// stands for, and what nobody said as unknown.
func (e Entity) Recorded() Entity {
	if e.Type == "" {
		e.Type = UnknownType
		switch e.Scope {
		case Yes:
			e.Type = Important // of both types the duties to tell are the same
		case No:
			e.Type = NotInScope
		}
	}
	if e.Size == "" {
		e.Size = UnknownSize
	}
	e.Scope = ""
	return e
}

// InScope is whether the directive, as national law has it, is about an entity,
// and why or what is missing to say so. What is recorded as the type counts
// unless size and services contradict it. Without one, size and services make an
// entity be in scope (Article 2), but never out of it: an authority may have
// named it all the same.
func (e Entity) InScope() (Answer, string) {
	by, why := e.bySizeAndServices()
	switch e.recorded() {
	case Yes:
		return Yes, "NIS2 is about this company, as recorded."
	case No:
		if by == Yes {
			return Unknown, "It is recorded that NIS2 is not about this company, and also that it is: " + why + " One of the two is wrong."
		}
		return No, "NIS2 is not about this company, as recorded."
	}
	if by == Yes {
		return Yes, why
	}
	return Unknown, "Whether NIS2 is about this company is not recorded: unknown is not “not due”. " + why
}

// recorded is what the recorded type says; Unknown where there is none.
func (e Entity) recorded() Answer {
	switch e.Type {
	case Essential, Important:
		return Yes
	case NotInScope:
		return No
	case "":
		if e.Scope.Valid() {
			return e.Scope
		}
	}
	return Unknown
}

// bySizeAndServices applies Article 2: names and registries at any size, the other
// services from medium size on.
func (e Entity) bySizeAndServices() (Answer, string) {
	switch {
	case slices.ContainsFunc(e.Services, Service.anySize):
		return Yes, "It runs names or a registry of them, which NIS2 is about at any size (Article 2(2))."
	case len(e.Services) == 0:
		return Unknown, "Missing is which of the services that the law names the company gives."
	case e.Size == Medium || e.Size == Large:
		return Yes, "It gives such services and is of medium size or larger (Article 2(1))."
	case e.Size == Micro || e.Size == Small:
		return No, "By size and services it is not, unless an authority has named it: missing is the type of entity."
	}
	return Unknown, "Missing is the size of the company."
}
