/** Whom one came to talk with is in the address, and stays there when one has signed in. */
document.querySelector("form").action += location.search;
