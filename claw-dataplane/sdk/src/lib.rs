//! What others link: the signing client and the types it speaks.
