package incidents

import "context"

// Pass looks once for all that is due, as Watch does.
func (s *Service) Pass(ctx context.Context) error {
	for _, due := range s.due {
		if err := due(ctx); err != nil {
			return err
		}
	}
	return nil
}
