package backups

// PlacesTaken is how many places for chunks are taken.
func PlacesTaken(s *Service) int { return len(s.uploads.all) }
