package deps

import (
	_ "gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob"
)
